import Logging
import MongoStorage
import SQLiteStorage
import Storage

/// The store that `DB_HOST` names, for a service that keeps documents: MongoDB, or SQLite in a file.
package struct DocumentStore<Repository: Sendable>: Sendable {
    package let repository: Repository
    /// To start, to wait for and to stop.
    package let store: any Store
    /// What and where it is, for logs; without credentials.
    package let description: String

    /// Connects to nothing yet.
    ///
    /// - Parameters:
    ///   - address: `DB_HOST`: `sqlite:PATH`, `host:port` of MongoDB, a `mongodb://` URI, or `nil` for `localhost:27017`.
    ///   - threads: calls to MongoDB at the same time.
    ///   - name: names threads and gauges.
    ///   - migrations: the embedded schema, step by step.
    ///   - embedded: makes the repository on SQLite.
    ///   - prepare: makes MongoDB's indexes.
    ///   - mongo: makes the repository on MongoDB.
    /// - Throws: `StorageError` of kind `.configuration`, whose text may be shown.
    package init(
        address: String?, threads: Int, name: String, migrations: [String], embedded: (SQLiteStore) -> Repository,
        prepare: @escaping @Sendable (MongoConnection) throws -> Void, mongo: (MongoStore) -> Repository,
        logger: Logger
    ) throws(StorageError) {
        let address = address ?? "localhost:27017"
        let embeddedPrefix = "sqlite:"
        if address.hasPrefix(embeddedPrefix) {
            let path = String(address.dropFirst(embeddedPrefix.count))
            let store = try SQLiteStore(path: path, name: name, migrations: migrations, logger: logger)
            self.store = store
            repository = embedded(store)
            description = "SQLite, \(path)"
        } else {
            let place = try MongoAddress(address)
            let store = try MongoStore(place, name: name, threads: threads, logger: logger, prepare: prepare)
            self.store = store
            repository = mongo(store)
            description = "MongoDB, \(place.hosts)/\(place.database)"
        }
    }
}
