import Idempotency
import LeasedQueue
import RPC
import Storage

/// A queue in a table of the embedded store: how items are claimed and released, for every such queue.
package protocol SQLiteLeasedQueue: LeasedQueue {
    /// To be a `static let`.
    static var leases: SQLiteLeases { get }
    var store: SQLiteStore { get }
    /// Rate limit of the search for what was scheduled in the future.
    var steps: Pace { get }

    /// The item in a row of the leases' columns.
    static func item(_ row: SQLiteRow) throws -> Item
}

/// The statements of a ``SQLiteLeasedQueue``.
///
/// Its table has the columns `due_at`, `scheduled_at` (see ``ClockStep``), `attempts`, `last_error` and one for the token of
/// a claim, and wants an index on `due_at` of what is pending.
package struct SQLiteLeases: Sendable {
    private let held: String
    private let microsecondsPerUnit: Int64
    fileprivate let due: SQLiteQuery
    fileprivate let take: SQLiteQuery
    fileprivate let retry: SQLiteQuery
    fileprivate let rescheduleFuture: SQLiteQuery

    /// Make it a `static let`, as it holds queries.
    ///
    /// - Parameters:
    ///   - id: the column with an item's id, a text.
    ///   - token: the column with the token of a claim; empty or NULL without one.
    ///   - pending: SQL condition that is true of items that wait or are being worked on.
    ///   - order: SQL terms by which items are claimed.
    ///   - columns: those that ``SQLiteLeasedQueue/item(_:)`` reads, in its order.
    ///   - microsecondsPerUnit: the unit of stored times, in microseconds: 1 or 1,000.
    package init(
        table: String, id: String = "id", token: String = "claim", pending: String, order: String = "due_at",
        columns: String, microsecondsPerUnit: Int64 = 1
    ) {
        held = "\(id) = ?1 AND \(token) = ?2 AND \(pending)"
        self.microsecondsPerUnit = microsecondsPerUnit
        due = SQLiteQuery(
            "SELECT \(id), attempts FROM \(table) WHERE \(pending) AND due_at <= ?1 ORDER BY \(order) LIMIT ?2")
        take = SQLiteQuery(
            """
            UPDATE \(table) SET \(token) = ?2, due_at = ?3, scheduled_at = ?4, attempts = attempts + 1 WHERE \(id) = ?1
            RETURNING \(columns)
            """)
        retry = SQLiteQuery(
            "UPDATE \(table) SET \(token) = '', due_at = ?3, scheduled_at = ?4, last_error = ?5 WHERE \(held)")
        rescheduleFuture = SQLiteQuery(
            """
            UPDATE \(table) SET due_at = ?1 + (due_at - scheduled_at), scheduled_at = ?1
            WHERE \(pending) AND scheduled_at > ?2
            """)
    }

    /// A statement that changes an item only while its lease holds. Its parameters ?1 and ?2 are the id and the token.
    ///
    /// - Parameter change: an UPDATE or DELETE without its WHERE.
    package func whileHeld(_ change: String) -> SQLiteQuery { SQLiteQuery("\(change) WHERE \(held)") }

    fileprivate var now: Int64 { WallClock.microseconds / microsecondsPerUnit }

    fileprivate func units(_ duration: Duration) -> Int64 { duration.microseconds / microsecondsPerUnit }
}

extension SQLiteLeasedQueue {
    package func claim(limit: Int, lease: Duration, deadline: Deadline) async throws -> [LeasedItem<Item>] {
        let reschedules = steps.isDue()
        return try await store.write(deadline: deadline) { connection in
            let leases = Self.leases
            let now = leases.now
            if reschedules {
                let ahead = now + leases.units(.seconds(ClockStep.secondsMin))
                try connection.statement(leases.rescheduleFuture).bind(1, now).bind(2, ahead).run()
            }
            let due = try connection.statement(leases.due).bind(1, now).bind(2, limit)
                .all { (id: $0.string(0), attempts: Int($0.int64(1))) }
            let token = Identifier.random()
            var items: [LeasedItem<Item>] = []
            for (id, attempts) in due {
                try connection.statement(leases.take)
                    .bind(1, id).bind(2, token).bind(3, now + leases.units(lease)).bind(4, now)
                    .forEach { row in
                        let lease = Lease(itemID: id, token: token)
                        items.append(LeasedItem(try Self.item(row), lease: lease, attempts: attempts))
                        return true
                    }
            }
            return items
        }
    }

    package func retry(
        _ lease: Lease, after delay: Duration, error: String, deadline: Deadline
    ) async throws -> Bool {
        try await store.write(deadline: deadline) { connection in
            let leases = Self.leases
            let now = leases.now
            return try connection.statement(leases.retry)
                .bind(1, lease.itemID).bind(2, lease.token).bind(3, now + leases.units(delay)).bind(4, now)
                .bind(5, error).run() > 0
        }
    }
}
