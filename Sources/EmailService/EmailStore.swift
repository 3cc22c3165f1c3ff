import DocumentStorage
import Logging
import MongoStorage
import Storage

/// The store that `DB_HOST` names, and the mails in it.
typealias EmailStore = DocumentStore<any EmailRepository>

extension EmailStore {
    /// Connects to nothing yet. The parameters and errors are those of ``DocumentStore``.
    init(address: String?, threads: Int = MongoStore.threadCountDefault, logger: Logger) throws(StorageError) {
        try self.init(
            address: address, threads: threads, name: "emails", migrations: SQLiteEmailRepository.migrations,
            embedded: { SQLiteEmailRepository(store: $0) }, prepare: MongoEmailRepository.prepare,
            mongo: { MongoEmailRepository(store: $0) }, logger: logger)
    }
}
