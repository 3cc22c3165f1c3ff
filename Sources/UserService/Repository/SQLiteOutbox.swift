import Idempotency
import LeasedQueue
import RPC
import SQLiteStorage
import Traces

/// The outbox in the embedded store.
extension SQLiteUserRepository: Outbox, SQLiteLeasedQueue {
    static let leases = SQLiteLeases(
        table: "outbox", token: "claim_token", pending: "state = 'pending'", order: "due_at, sequence",
        columns: "id, user_id, name, email, company, occurred_at, traceparent")
    private static let delivered = leases.whileHeld("DELETE FROM outbox")
    private static let deadLettered = leases.whileHeld(
        "UPDATE outbox SET state = 'dead', last_error = ?3, claim_token = NULL")
    private static let requeue = SQLiteQuery(
        "UPDATE outbox SET state = 'pending', attempts = 0, due_at = ?1, scheduled_at = ?1 WHERE state = 'dead'")
    private static let count = SQLiteQuery(
        """
        SELECT
            count(*) FILTER (WHERE state = 'pending'),
            min(occurred_at) FILTER (WHERE state = 'pending'),
            count(*) FILTER (WHERE state = 'dead')
        FROM outbox
        """)

    static func item(_ row: SQLiteRow) -> UserCreatedEvent {
        UserCreatedEvent(
            id: row.string(0), userID: row.string(1), name: row.string(2), email: row.string(3),
            company: row.string(4), occurredAtMicroseconds: row.int64(5), trace: TraceParent(row.string(6)))
    }

    func finish(_ leases: [Lease], deadline: Deadline) async throws {
        try await store.write(deadline: deadline) { connection in
            for lease in leases {
                try connection.statement(Self.delivered).bind(1, lease.itemID).bind(2, lease.token).run()
            }
        }
    }

    func deadLetter(_ lease: Lease, error: String, deadline: Deadline) async throws -> Bool {
        try await store.write(deadline: deadline) { connection in
            try connection.statement(Self.deadLettered)
                .bind(1, lease.itemID).bind(2, lease.token).bind(3, error).run() > 0
        }
    }

    func requeueDeadLetters(deadline: Deadline) async throws -> Int {
        let count = try await store.write(deadline: deadline) { connection in
            try connection.statement(Self.requeue).bind(1, WallClock.microseconds).run()
        }
        if count > 0 { signal.notify() }
        return count
    }

    func statistics(deadline: Deadline) async throws -> LeasedQueueStatistics {
        let statistics = try await store.read(deadline: deadline) { connection in
            try connection.statement(Self.count).first { row in
                LeasedQueueStatistics(
                    pending: Int(row.int64(0)), since: row.int64(1), deadLetters: Int(row.int64(2)))
            }
        }
        return statistics ?? LeasedQueueStatistics()
    }

    func waitForWork(timeout: Duration) async throws {
        try await signal.wait(timeout: timeout)
    }
}
