import DocumentStorage
import Logging
import MongoStorage
import Storage

/// The store that `DB_HOST` names, and the consignments in it.
typealias ConsignmentStore = DocumentStore<any ConsignmentRepository>

extension ConsignmentStore {
    /// Connects to nothing yet. The parameters and errors are those of ``DocumentStore``.
    init(address: String?, threads: Int = MongoStore.threadCountDefault, logger: Logger) throws(StorageError) {
        try self.init(
            address: address, threads: threads, name: "consignments",
            migrations: SQLiteConsignmentRepository.migrations, embedded: { SQLiteConsignmentRepository(store: $0) },
            prepare: MongoConsignmentRepository.prepare,
            mongo: { MongoConsignmentRepository(store: $0) }, logger: logger)
    }
}
