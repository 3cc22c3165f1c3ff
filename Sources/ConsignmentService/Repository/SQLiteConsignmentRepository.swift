import Contracts
import Idempotency
import RPC
import SQLiteStorage
import Storage

/// Consignments in the embedded store.
struct SQLiteConsignmentRepository: ConsignmentRepository {
    /// Expired keys that each keyed create removes, so that they go at the pace at which they came.
    private static let expiredKeysPerCreate = 8

    static let migrations = [
        """
        CREATE TABLE consignments (
            id TEXT NOT NULL PRIMARY KEY,
            user_id TEXT NOT NULL,
            vessel_id TEXT NOT NULL,
            consignment BLOB NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE idempotency_keys (
            id BLOB NOT NULL PRIMARY KEY,
            fingerprint BLOB NOT NULL,
            consignment_id TEXT NOT NULL,
            created_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
        """
    ]

    let store: SQLiteStore
    private let ids = OrderedIdentifiers()

    init(store: SQLiteStore) {
        self.store = store
    }

    func create(
        _ consignment: Consignment_Consignment, userID: String, claim: IdempotencyClaim?, deadline: Deadline
    ) async throws -> Consignment_Consignment {
        try await store.write(deadline: deadline) { connection in
            if let claim, let first = try Self.answer(to: claim, connection) { return first }
            var stored = consignment
            // Given here, where one is written after the other, so that no smaller id appears after a larger one.
            stored.id = ids.next()
            let bytes: [UInt8] = try stored.serializedBytes()
            try connection.statement(Self.insert)
                .bind(1, stored.id).bind(2, userID).bind(3, stored.vesselID).bind(4, bytes).run()
            if let claim { try Self.keep(claim, stored.id, connection) }
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
                let consignment = try Consignment_Consignment(serializedBytes: bytes)
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
    private static let findKey = SQLiteQuery(
        """
        SELECT fingerprint, consignment FROM idempotency_keys JOIN consignments ON consignments.id = consignment_id
        WHERE idempotency_keys.id = ?1 AND created_at >= ?2
        """)
    private static let keepKey = SQLiteQuery("INSERT OR REPLACE INTO idempotency_keys VALUES (?1, ?2, ?3, ?4)")
    private static let removeKeys = SQLiteQuery(
        """
        DELETE FROM idempotency_keys WHERE id IN
        (SELECT id FROM idempotency_keys WHERE created_at < ?1 ORDER BY created_at LIMIT \(expiredKeysPerCreate))
        """)

    private static func answer(
        to claim: IdempotencyClaim, _ connection: SQLiteConnection
    ) throws -> Consignment_Consignment? {
        let oldest = WallClock.seconds - IdempotencyClaim.retentionSeconds
        let found = try connection.statement(findKey).bind(1, claim.id).bind(2, oldest)
            .first { (fingerprint: $0.bytes(0), consignment: $0.bytes(1)) }
        guard let found else { return nil }
        try claim.checkRepeat(of: found.fingerprint)
        return try Consignment_Consignment(serializedBytes: found.consignment)
    }

    private static func keep(_ claim: IdempotencyClaim, _ id: String, _ connection: SQLiteConnection) throws {
        let now = WallClock.seconds
        try connection.statement(removeKeys).bind(1, now - IdempotencyClaim.retentionSeconds).run()
        try connection.statement(keepKey)
            .bind(1, claim.id).bind(2, claim.fingerprint).bind(3, id).bind(4, now).run()
    }
}
