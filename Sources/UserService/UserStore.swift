import Logging
import RPC
import Runtime
import Storage

/// The store that `DB_HOST` names, the users in it and the events beside them.
struct UserStore: Sendable {
    let repository: any UserRepository
    let outbox: any Outbox
    /// To start, to wait for and to stop.
    let store: any Store
    /// What and where it is, for logs; without credentials.
    let description: String
    /// The file of the embedded store; `nil` with a database server.
    let embeddedPath: String?
}

extension UserStore {
    init(_ settings: Settings, logger: Logger) throws(ConfigurationError) {
        do throws(StorageError) {
            let database = try UserDatabase(variable: settings.variable, logger: logger)
            self.init(
                repository: database.repository, outbox: database.outbox, store: database.store,
                description: database.description, embeddedPath: database.embeddedPath)
        } catch {
            throw ConfigurationError("DB_HOST: \(error.message)")
        }
    }
}
