import DocumentStorage
import Logging
import MongoStorage
import Storage

/// The store that `DB_HOST` names, and the consignments in it.
typealias ConsignmentStore = DocumentStore<any ConsignmentRepository>

extension ConsignmentStore {
    /// Connects to nothing yet.
    ///
    /// - Parameters:
    ///   - address: `DB_HOST`; `nil` where it is not set.
    ///   - threads: calls to MongoDB at the same time.
    /// - Throws: `StorageError` of kind `.configuration`, whose text may be shown.
    init(
        address: String?, threads: Int = MongoStore.threadCountDefault, logger: Logger
    ) throws(StorageError) {
        let choices = Choices(
            name: "consignments", migrations: SQLiteConsignmentRepository.migrations,
            embedded: { SQLiteConsignmentRepository(store: $0) }, prepare: MongoConsignmentRepository.prepare,
            mongo: { MongoConsignmentRepository(store: $0) })
        try self.init(address: address, threads: threads, choices, logger: logger)
    }
}
