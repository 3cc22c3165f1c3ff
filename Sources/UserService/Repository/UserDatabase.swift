import Logging
import PostgresStorage
import SQLiteStorage
import Storage

/// The store that `DB_HOST` names, and the users and events in it.
struct UserDatabase: Sendable {
    private static let embeddedPrefix = "sqlite:"
    /// Names threads, gauges and the schema.
    private static let name = "users"

    let repository: any UserRepository
    let outbox: any Outbox
    /// To start, to wait for and to stop.
    let store: any Store
    /// What and where it is, for logs; without credentials.
    let description: String
    /// The file of the embedded store; `nil` with a database server.
    let embeddedPath: String?

    /// Connects to nothing yet.
    ///
    /// - Parameters:
    ///   - variable: what `DB_HOST` (`sqlite:PATH`, `host:port` of PostgreSQL or a `postgresql://` URI), `DB_NAME`,
    ///     `DB_USER`, `DB_PASSWORD` and `DB_PASS` say; `nil` for those that are not set.
    ///   - threads: calls to PostgreSQL at the same time.
    /// - Throws: `StorageError` of kind `.configuration`, whose text may be shown.
    init(
        variable: (String) -> String?, threads: Int = PostgresStore.threadCountDefault, logger: Logger
    ) throws(StorageError) {
        if let address = variable("DB_HOST"), address.hasPrefix(Self.embeddedPrefix) {
            let path = String(address.dropFirst(Self.embeddedPrefix.count))
            let store = try SQLiteStore(
                path: path, name: Self.name, migrations: SQLiteUserRepository.migrations, logger: logger)
            let users = SQLiteUserRepository(store: store)
            self.store = store
            repository = users
            outbox = users
            description = "SQLite, \(path)"
            embeddedPath = path
        } else {
            let address = try PostgresAddress(variable: variable)
            let store = PostgresStore(
                address, name: Self.name, threads: threads, migrations: PostgresUserSchema.migrations,
                channel: PostgresUserSchema.channel, logger: logger)
            let users = PostgresUserRepository(store: store)
            self.store = store
            repository = users
            outbox = users
            description = "PostgreSQL, \(address)"
            embeddedPath = nil
        }
    }
}

/// The database, and the threads that hash passwords.
struct UserStores: CombinedStore {
    let parts: [any Store]
}
