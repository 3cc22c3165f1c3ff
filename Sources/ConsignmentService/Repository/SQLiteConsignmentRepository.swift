import Contracts
import Idempotency
import RPC
import SQLiteStorage
import Storage

/// Consignments in the embedded store.
struct SQLiteConsignmentRepository: ConsignmentRepository {
    private static let keys = SQLiteIdempotency(answer: "consignment_id")

    static let migrations = [
        """
        CREATE TABLE consignments (
            id TEXT NOT NULL PRIMARY KEY,
            user_id TEXT NOT NULL,
            vessel_id TEXT NOT NULL,
            consignment BLOB NOT NULL
        ) WITHOUT ROWID;
        \(keys.schema)
        """
    ]

    let store: SQLiteStore
    private let ids: OrderedIdentifiers

    init(store: SQLiteStore, ids: OrderedIdentifiers = OrderedIdentifiers()) {
        self.store = store
        self.ids = ids
    }

    func create(
        _ consignment: Consignment_Consignment, userID: String, claim: IdempotencyClaim?, deadline: Deadline
    ) async throws -> Consignment_Consignment {
        try await store.write(deadline: deadline) { connection in
            if let claim, let first = try Self.answer(to: claim, connection) { return first }
            var stored = consignment
            // Given here, where one is written after the other, so that no smaller id appears after a larger one.
            if ids.needsNewest { ids.note(newest: try Self.newest(connection)) }
            stored.id = ids.next()
            let bytes: [UInt8] = try stored.serializedBytes()
            try connection.statement(Self.insert)
                .bind(1, stored.id).bind(2, userID).bind(3, stored.vesselID).bind(4, bytes).run()
            if let claim { try Self.keys.keep(claim, answer: Array(stored.id.utf8), connection) }
            return stored
        }
    }

    func answer(to claim: IdempotencyClaim, deadline: Deadline) async throws -> Consignment_Consignment? {
        try await store.read(deadline: deadline) { try Self.answer(to: claim, $0) }
    }

    func page(
        after: String?, limit: Int, bytesMax: Int, deadline: Deadline
    ) async throws -> ConsignmentPage {
        try await store.read(deadline: deadline) { connection in
            var page = ConsignmentPage()
            let rows = try connection.statement(Self.select).bind(1, after ?? "").bind(2, limit + 1)
            try rows.forEach { row in
                let bytes = row.bytes(0)
                let consignment = try Consignment_Consignment(knownFieldsOf: bytes)
                return page.take(consignment, bytes: bytes.count, limit: limit, bytesMax: bytesMax)
            }
            return page
        }
    }
}

extension SQLiteConsignmentRepository {
    private static let insert = SQLiteQuery("INSERT INTO consignments VALUES (?1, ?2, ?3, ?4)")
    private static let select = SQLiteQuery(
        "SELECT consignment FROM consignments WHERE id > ?1 ORDER BY id LIMIT ?2")
    private static let newest = SQLiteQuery("SELECT id FROM consignments WHERE id < ?1 ORDER BY id DESC LIMIT 1")
    private static let find = SQLiteQuery("SELECT consignment FROM consignments WHERE id = ?1")

    private static func newest(_ connection: SQLiteConnection) throws(StorageError) -> String? {
        try connection.statement(newest).bind(1, OrderedIdentifiers.end).first { $0.string(0) }
    }

    private static func answer(
        to claim: IdempotencyClaim, _ connection: SQLiteConnection
    ) throws -> Consignment_Consignment? {
        guard let id = try keys.answer(to: claim, connection) else { return nil }
        let found = try connection.statement(find).bind(1, String(decoding: id, as: UTF8.self)).first { $0.bytes(0) }
        return try found.map { try Consignment_Consignment(knownFieldsOf: $0) }
    }
}
