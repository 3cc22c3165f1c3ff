import Logging
import MongoStorage
import SQLiteStorage
import Storage

/// The store that `DB_HOST` names, and the mails in it.
struct EmailStore: Sendable {
    /// What `DB_HOST` means when it is not set.
    static let defaultAddress = "localhost:27017"
    private static let embeddedPrefix = "sqlite:"

    let repository: any EmailRepository
    /// To start, to wait for and to stop.
    let store: any Store
    /// What and where it is, for logs; without credentials.
    let description: String

    /// Connects to nothing yet.
    ///
    /// - Parameters:
    ///   - address: `sqlite:PATH`, `host:port` of MongoDB, a `mongodb://` URI, or `nil` for ``defaultAddress``.
    ///   - threads: calls to MongoDB at the same time.
    /// - Throws: `StorageError` of kind `.configuration`, whose text may be shown.
    init(
        address: String?, threads: Int = MongoStore.threadCountDefault, logger: Logger
    ) throws(StorageError) {
        let address = address ?? Self.defaultAddress
        if address.hasPrefix(Self.embeddedPrefix) {
            let path = String(address.dropFirst(Self.embeddedPrefix.count))
            let store = try SQLiteStore(
                path: path, name: "emails", migrations: SQLiteEmailRepository.migrations, logger: logger)
            self.store = store
            repository = SQLiteEmailRepository(store: store)
            description = "SQLite, \(path)"
        } else {
            let mongo = try MongoAddress(address)
            let store = try MongoStore(
                mongo, name: "emails", threads: threads, logger: logger, prepare: MongoEmailRepository.prepare)
            self.store = store
            repository = MongoEmailRepository(store: store)
            description = "MongoDB, \(mongo.hosts)/\(mongo.database)"
        }
    }
}
