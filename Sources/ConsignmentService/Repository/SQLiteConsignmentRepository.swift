import Contracts
import Idempotency
import LeasedQueue
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
        """,
        // What is left to do: due_at is NULL where nothing is. Microseconds since 1970.
        """
        ALTER TABLE consignments ADD COLUMN state INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE consignments ADD COLUMN key BLOB NOT NULL DEFAULT x'';
        ALTER TABLE consignments ADD COLUMN due_at INTEGER;
        ALTER TABLE consignments ADD COLUMN scheduled_at INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE consignments ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE consignments ADD COLUMN claim TEXT NOT NULL DEFAULT '';
        ALTER TABLE consignments ADD COLUMN last_error TEXT NOT NULL DEFAULT '';
        CREATE INDEX consignments_user ON consignments (user_id, id);
        CREATE INDEX consignments_due_at ON consignments (due_at) WHERE due_at IS NOT NULL;
        """,
        // Counts only where something is left to do.
        """
        ALTER TABLE consignments ADD COLUMN waiting_since INTEGER NOT NULL DEFAULT 0;
        UPDATE consignments SET waiting_since = scheduled_at WHERE due_at IS NOT NULL;
        """,
    ]

    let store: SQLiteStore
    private let ids: OrderedIdentifiers
    /// Rate limit of the search for what was scheduled in the future.
    let steps = Pace(every: ClockStep.interval)

    init(store: SQLiteStore, ids: OrderedIdentifiers = OrderedIdentifiers()) {
        self.store = store
        self.ids = ids
    }

    func begin(
        _ consignment: Consignment_Consignment, userID: String, claim: IdempotencyClaim?, deadline: Deadline
    ) async throws -> Booking {
        try await store.write(deadline: deadline) { connection in
            if let claim, let first = try Self.booking(of: claim, connection), first.state != .undoing { return first }
            var stored = consignment
            // Given here, where one is written after the other, so that no smaller id appears after a larger one.
            if ids.needsNewest { ids.record(newest: try Self.newest(connection)) }
            stored.id = ids.next()
            let booking = Booking(
                consignment: stored, userID: userID, vesselID: "", state: .pending, key: claim?.id ?? [])
            let bytes: [UInt8] = try stored.serializedBytes()
            let now = WallClock.microseconds
            try connection.statement(Self.insert)
                .bind(1, booking.id).bind(2, userID).bind(3, bytes).bind(4, booking.state.rawValue)
                .bind(5, booking.key).bind(6, now + BookingTimes.intentTimeout.microseconds).bind(7, now).run()
            if let claim { try Self.keys.keep(claim, answer: Array(booking.id.utf8), connection) }
            return booking
        }
    }

    func booking(of claim: IdempotencyClaim, deadline: Deadline) async throws -> Booking? {
        let booking = try await store.read(deadline: deadline) { try Self.booking(of: claim, $0) }
        return booking?.state == .undoing ? nil : booking
    }

    func booking(id: String, deadline: Deadline) async throws -> Booking? {
        let booking = try await store.read(deadline: deadline) { try Self.booking(id, $0) }
        return booking?.state == .undoing ? nil : booking
    }

    func confirm(_ id: String, vesselID: String, deadline: Deadline) async throws -> BookingChange? {
        try await store.write(deadline: deadline) { connection in
            let isOurs = try connection.statement(Self.confirm).bind(1, id).bind(2, vesselID).run() > 0
            guard let booking = try Self.booking(id, connection), booking.state != .undoing else { return nil }
            return BookingChange(booking: booking, isOurs: isOurs)
        }
    }

    func beginUndo(_ id: String, deadline: Deadline) async throws -> Bool {
        try await store.write(deadline: deadline) { connection in
            try connection.statement(Self.undo).bind(1, id).run()
            return try Self.booking(id, connection)?.state == .undoing
        }
    }

    func remove(_ booking: Booking, deadline: Deadline) async throws -> Bool {
        try await store.write(deadline: deadline) { connection in
            let isRemoved = try connection.statement(Self.remove).bind(1, booking.id).run() > 0
            if isRemoved, !booking.key.isEmpty {
                try Self.keys.forget(booking.key, answer: Array(booking.id.utf8), connection)
            }
            return isRemoved
        }
    }

    func cancel(_ id: String, deadline: Deadline) async throws -> BookingChange? {
        try await store.write(deadline: deadline) { connection in
            let now = WallClock.microseconds
            let isOurs =
                try connection.statement(Self.cancel)
                .bind(1, id).bind(2, now + BookingTimes.releaseDelay.microseconds).bind(3, now).run() > 0
            guard let booking = try Self.booking(id, connection), booking.state == .cancelled else { return nil }
            return BookingChange(booking: booking, isOurs: isOurs)
        }
    }

    func markReleased(_ id: String, deadline: Deadline) async throws {
        try await store.write(deadline: deadline) { _ = try $0.statement(Self.released).bind(1, id).run() }
    }

    func makeDue(_ id: String, deadline: Deadline) async throws {
        try await store.write(deadline: deadline) {
            _ = try $0.statement(Self.makeDue).bind(1, id).bind(2, WallClock.microseconds).run()
        }
    }

    func page(
        of userID: String?, after: String?, limit: Int, bytesMax: Int, deadline: Deadline
    ) async throws -> ConsignmentPage {
        try await store.read(deadline: deadline) { connection in
            var page = ConsignmentPage()
            let rows =
                if let userID {
                    try connection.statement(Self.pageOfUser).bind(1, after ?? "").bind(2, limit + 1).bind(3, userID)
                } else {
                    try connection.statement(Self.page).bind(1, after ?? "").bind(2, limit + 1)
                }
            try rows.forEach { row in
                let (booking, bytes) = try Self.booking(row)
                return page.take(booking.shown, bytes: bytes, limit: limit, bytesMax: bytesMax)
            }
            return page
        }
    }
}

// MARK: - Records

extension SQLiteConsignmentRepository {
    private static let columns = "consignment, user_id, vessel_id, state, key, due_at IS NOT NULL"
    private static let insert = SQLiteQuery(
        """
        INSERT INTO consignments (id, user_id, vessel_id, consignment, state, key, due_at, scheduled_at, waiting_since)
        VALUES (?1, ?2, '', ?3, ?4, ?5, ?6, ?7, ?7)
        """)
    private static let page = SQLiteQuery(
        "SELECT \(columns) FROM consignments WHERE id > ?1 AND state <> 4 ORDER BY id LIMIT ?2")
    private static let pageOfUser = SQLiteQuery(
        "SELECT \(columns) FROM consignments WHERE id > ?1 AND user_id = ?3 AND state <> 4 ORDER BY id LIMIT ?2")
    private static let newest = SQLiteQuery("SELECT id FROM consignments WHERE id < ?1 ORDER BY id DESC LIMIT 1")
    private static let find = SQLiteQuery("SELECT \(columns) FROM consignments WHERE id = ?1")
    private static let confirm = SQLiteQuery(
        "UPDATE consignments SET state = 1, vessel_id = ?2, due_at = NULL, claim = '' WHERE id = ?1 AND state = 2")
    private static let undo = SQLiteQuery("UPDATE consignments SET state = 4 WHERE id = ?1 AND state = 2")
    private static let remove = SQLiteQuery("DELETE FROM consignments WHERE id = ?1 AND state = 4")
    private static let cancel = SQLiteQuery(
        """
        UPDATE consignments SET state = 3, due_at = ?2, scheduled_at = ?3, waiting_since = ?3, claim = '', attempts = 0
        WHERE id = ?1 AND state IN (0, 1, 2)
        """)
    private static let released = SQLiteQuery(
        "UPDATE consignments SET due_at = NULL, claim = '' WHERE id = ?1 AND state = 3")
    private static let makeDue = SQLiteQuery(
        """
        UPDATE consignments SET due_at = ?2, scheduled_at = ?2 WHERE id = ?1 AND due_at > ?2 AND claim = ''
        """)

    private static func newest(_ connection: SQLiteConnection) throws(StorageError) -> String? {
        try connection.statement(newest).bind(1, OrderedIdentifiers.end).first { $0.string(0) }
    }

    private static func booking(_ id: String, _ connection: SQLiteConnection) throws -> Booking? {
        var booking: Booking?
        try connection.statement(find).bind(1, id).forEach {
            booking = try Self.booking($0).booking
            return false
        }
        return booking
    }

    /// What a key stands for, also when that is being undone.
    private static func booking(of claim: IdempotencyClaim, _ connection: SQLiteConnection) throws -> Booking? {
        guard let id = try keys.answer(to: claim, connection) else { return nil }
        return try booking(String(decoding: id, as: UTF8.self), connection)
    }

    /// The booking in a row's first columns, and how many bytes the consignment takes.
    private static func booking(_ row: SQLiteRow) throws -> (booking: Booking, bytes: Int) {
        let bytes = row.bytes(0)
        // What a newer program wrote is shown, and nothing is done to it.
        let state = Booking.State(rawValue: row.int32(3)) ?? .uncounted
        let booking = Booking(
            consignment: try Consignment_Consignment(knownFieldsOf: bytes), userID: row.string(1),
            vesselID: row.string(2), state: state, key: row.bytes(4),
            owesRelease: state == .cancelled && row.int32(5) != 0)
        return (booking, bytes.count)
    }
}

// MARK: - What is left to do

extension SQLiteConsignmentRepository: SQLiteLeasedQueue {
    static let leases = SQLiteLeases(table: "consignments", pending: "due_at IS NOT NULL", columns: columns)
    private static let finish = leases.whileHeld("UPDATE consignments SET due_at = NULL, claim = ''")
    private static let count = SQLiteQuery(
        """
        SELECT min(waiting_since), count(*) FROM
        (SELECT waiting_since FROM consignments WHERE due_at IS NOT NULL LIMIT \(LeasedQueueStatistics.countMax))
        """)

    static func item(_ row: SQLiteRow) throws -> Booking { try booking(row).booking }

    func finish(_ leases: [Lease], deadline: Deadline) async throws {
        try await store.write(deadline: deadline) { connection in
            for lease in leases {
                try connection.statement(Self.finish).bind(1, lease.itemID).bind(2, lease.token).run()
            }
        }
    }

    func statistics(deadline: Deadline) async throws -> LeasedQueueStatistics {
        let statistics = try await store.read(deadline: deadline) {
            try $0.statement(Self.count).first { LeasedQueueStatistics(pending: Int($0.int64(1)), since: $0.int64(0)) }
        }
        return statistics ?? LeasedQueueStatistics()
    }
}
