import DocumentStorage
import Logging
import MongoStorage
import Storage

/// The store that `DB_HOST` names, and the vessels in it.
typealias VesselStore = DocumentStore<any VesselRepository>

extension VesselStore {
    /// Connects to nothing yet. The parameters and errors are those of ``DocumentStore``.
    init(address: String?, threads: Int = MongoStore.threadCountDefault, logger: Logger) throws(StorageError) {
        try self.init(
            address: address, threads: threads, name: "vessels", migrations: SQLiteVesselRepository.migrations,
            embedded: { SQLiteVesselRepository(store: $0) }, prepare: MongoVesselRepository.prepare,
            mongo: { MongoVesselRepository(store: $0) }, logger: logger)
    }
}
