import Logging
import MongoStorage
import SQLiteStorage
import Storage

/// The store that `DB_HOST` names, for a service that keeps documents: MongoDB, or SQLite in a file.
package struct DocumentStore<Repository: Sendable>: Sendable {
    /// How one repository is made on either of them.
    package struct Choices: Sendable {
        /// Names threads and gauges.
        let name: String
        /// The embedded schema, step by step.
        let migrations: [String]
        let embedded: @Sendable (SQLiteStore) -> Repository
        /// Makes MongoDB's indexes.
        let prepare: @Sendable (MongoConnection) throws -> Void
        let mongo: @Sendable (MongoStore) -> Repository

        package init(
            name: String, migrations: [String], embedded: @escaping @Sendable (SQLiteStore) -> Repository,
            prepare: @escaping @Sendable (MongoConnection) throws -> Void,
            mongo: @escaping @Sendable (MongoStore) -> Repository
        ) {
            self.name = name
            self.migrations = migrations
            self.embedded = embedded
            self.prepare = prepare
            self.mongo = mongo
        }
    }

    package let repository: Repository
    /// To start, to wait for and to stop.
    package let store: any Store
    /// What and where it is, for logs; without credentials.
    package let description: String

    /// Connects to nothing yet.
    ///
    /// - Parameters:
    ///   - address: `sqlite:PATH`, `host:port` of MongoDB, a `mongodb://` URI, or `nil` for `localhost:27017`.
    ///   - threads: calls to MongoDB at the same time.
    /// - Throws: `StorageError` of kind `.configuration`, whose text may be shown.
    package init(
        address: String?, threads: Int = MongoStore.threadCountDefault, _ choices: Choices, logger: Logger
    ) throws(StorageError) {
        let address = address ?? "localhost:27017"
        let embeddedPrefix = "sqlite:"
        if address.hasPrefix(embeddedPrefix) {
            let path = String(address.dropFirst(embeddedPrefix.count))
            let store = try SQLiteStore(
                path: path, name: choices.name, migrations: choices.migrations, logger: logger)
            self.store = store
            repository = choices.embedded(store)
            description = "SQLite, \(path)"
        } else {
            let mongo = try MongoAddress(address)
            let store = try MongoStore(
                mongo, name: choices.name, threads: threads, logger: logger, prepare: choices.prepare)
            self.store = store
            repository = choices.mongo(store)
            description = "MongoDB, \(mongo.hosts)/\(mongo.database)"
        }
    }
}
