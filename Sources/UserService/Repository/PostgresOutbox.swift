import Idempotency
import LeasedQueue
import PostgresStorage
import RPC
import Storage
import Traces

/// The outbox in PostgreSQL. A claim is a lease in the row: no transaction stays open while an event is delivered.
extension PostgresUserRepository: Outbox {
    /// Rows that others are claiming at the same moment are skipped, and nobody waits.
    private static let claim = PostgresQuery(
        """
        WITH due AS (
            SELECT sequence FROM outbox WHERE state = 'pending' AND due_at <= now()
            ORDER BY due_at, sequence LIMIT $1 FOR UPDATE SKIP LOCKED
        )
        UPDATE outbox SET
            attempts = attempts + 1, claim_token = $3, due_at = now() + $2::bigint * interval '1 microsecond',
            scheduled_at = now()
        FROM due WHERE outbox.sequence = due.sequence
        RETURNING id, user_id, name, email, company, occurred_at, attempts - 1, outbox.sequence, traceparent
        """)
    private static let delivered = PostgresQuery(
        """
        DELETE FROM outbox USING unnest($1::text[], $2::text[]) AS claims (id, token)
        WHERE outbox.id = claims.id AND claim_token = claims.token AND state = 'pending'
        """)
    private static let reschedule = PostgresQuery(
        """
        UPDATE outbox SET
            due_at = now() + $3::bigint * interval '1 microsecond', scheduled_at = now(), last_error = $4,
            claim_token = NULL
        WHERE id = $1 AND claim_token = $2 AND state = 'pending'
        """)
    private static let deadLettered = PostgresQuery(
        """
        UPDATE outbox SET state = 'dead', last_error = $3, claim_token = NULL
        WHERE id = $1 AND claim_token = $2 AND state = 'pending'
        """)
    private static let requeue = PostgresQuery(
        """
        WITH requeued AS (
            UPDATE outbox SET state = 'pending', attempts = 0, due_at = now(), scheduled_at = now()
            WHERE state = 'dead' RETURNING 1
        )
        SELECT (SELECT count(*) FROM requeued), pg_notify('\(PostgresUserSchema.channel)', '')
        """)
    /// Skips rows that another replica is rescheduling already.
    private static let rescheduleFuture = PostgresQuery(
        """
        UPDATE outbox SET due_at = now() + (due_at - scheduled_at), scheduled_at = now()
        FROM (
            SELECT sequence FROM outbox
            WHERE state = 'pending' AND scheduled_at > now() + interval '\(ClockStep.secondsMin) seconds'
            FOR UPDATE SKIP LOCKED
        ) AS ahead
        WHERE outbox.sequence = ahead.sequence
        """)
    private static let count = PostgresQuery(
        """
        SELECT
            count(*) FILTER (WHERE state = 'pending'),
            coalesce(extract(epoch FROM now() - min(occurred_at) FILTER (WHERE state = 'pending')), 0)::float8,
            count(*) FILTER (WHERE state = 'dead')
        FROM outbox
        """)

    func claim(limit: Int, lease: Duration, deadline: Deadline) async throws -> [LeasedItem<UserCreatedEvent>] {
        let token = Identifier.random()
        let reschedules = steps.isDue()
        let claimed = try await store.run(deadline: deadline) { connection in
            if reschedules { try connection.run(Self.rescheduleFuture) }
            return try connection.all(
                Self.claim, .integer(Int64(limit)), .integer(lease.microseconds), .text(token)
            ) { row throws(StorageError) in
                (sequence: try row.int64(7), event: try Self.event(row, token))
            }
        }
        // RETURNING answers in no order.
        return claimed.sorted { $0.sequence < $1.sequence }.map(\.event)
    }

    func finish(_ leases: [Lease], deadline: Deadline) async throws {
        try await store.run(deadline: deadline) { connection in
            try connection.run(Self.delivered, .texts(leases.map(\.itemID)), .texts(leases.map(\.token)))
        }
    }

    func retry(_ lease: Lease, after delay: Duration, error: String, deadline: Deadline) async throws -> Bool {
        try await store.run(deadline: deadline) { connection in
            try connection.run(
                Self.reschedule, .text(lease.itemID), .text(lease.token), .integer(delay.microseconds),
                .text(Self.kept(error))) > 0
        }
    }

    func deadLetter(_ lease: Lease, error: String, deadline: Deadline) async throws -> Bool {
        try await store.run(deadline: deadline) { connection in
            try connection.run(Self.deadLettered, .text(lease.itemID), .text(lease.token), .text(Self.kept(error))) > 0
        }
    }

    func requeueDeadLetters(deadline: Deadline) async throws -> Int {
        let count = try await store.run(deadline: deadline) { connection in
            try connection.first(Self.requeue) { row throws(StorageError) in try row.int64(0) }
        }
        return Int(count ?? 0)
    }

    func statistics(deadline: Deadline) async throws -> LeasedQueueStatistics {
        let statistics = try await store.run(deadline: deadline) { connection in
            try connection.first(Self.count) { row throws(StorageError) in
                LeasedQueueStatistics(
                    pending: Int(try row.int64(0)), oldestPendingSeconds: max(0, try row.double(1)),
                    deadLetters: Int(try row.int64(2)))
            }
        }
        return statistics ?? LeasedQueueStatistics()
    }

    func waitForWork(timeout: Duration) async throws {
        let end = Deadline.after(timeout)
        do {
            try await store.waitForNotification(timeout: timeout)
        } catch is StorageError {
            // Nothing can be heard now, so this is no more than a pause.
            try await Task.sleep(for: end.remaining)
        }
    }

    private static func event(
        _ row: PostgresRow, _ token: String
    ) throws(StorageError) -> LeasedItem<UserCreatedEvent> {
        let event = UserCreatedEvent(
            id: row.string(0), userID: row.string(1), name: row.string(2), email: row.string(3),
            company: row.string(4), occurredAtMicroseconds: try row.microseconds(5),
            trace: TraceParent(row.string(8)))
        return LeasedItem(
            event, lease: Lease(itemID: event.id, token: token), attempts: Int(try row.int64(6)))
    }

    /// An error text without zero bytes, which PostgreSQL's texts can't hold.
    private static func kept(_ error: String) -> String {
        var scalars = error.unicodeScalars
        scalars.removeAll { $0.value == 0 }
        return String(scalars)
    }
}
