import Idempotency
import RPC
import SQLiteStorage
import Storage
import Traces

/// The outbox in the embedded store.
extension SQLiteUserRepository: Outbox {
    private static let claim = SQLiteQuery(
        """
        UPDATE outbox SET attempts = attempts + 1, claim_token = ?3, due_at = ?4, scheduled_at = ?2
        WHERE sequence IN (
            SELECT sequence FROM outbox WHERE state = 'pending' AND due_at <= ?2 ORDER BY due_at, sequence LIMIT ?1
        )
        RETURNING id, user_id, name, email, company, occurred_at, attempts - 1, sequence, traceparent
        """)
    private static let delivered = SQLiteQuery(
        "DELETE FROM outbox WHERE id = ?1 AND claim_token = ?2 AND state = 'pending'")
    private static let setBack = SQLiteQuery(
        """
        UPDATE outbox SET due_at = ?3, scheduled_at = ?5, last_error = ?4, claim_token = NULL
        WHERE id = ?1 AND claim_token = ?2 AND state = 'pending'
        """)
    private static let setAside = SQLiteQuery(
        """
        UPDATE outbox SET state = 'dead', last_error = ?3, claim_token = NULL
        WHERE id = ?1 AND claim_token = ?2 AND state = 'pending'
        """)
    private static let requeue = SQLiteQuery(
        "UPDATE outbox SET state = 'pending', attempts = 0, due_at = ?1, scheduled_at = ?1 WHERE state = 'dead'")
    private static let moveBack = SQLiteQuery(
        """
        UPDATE outbox SET due_at = ?1 + (due_at - scheduled_at), scheduled_at = ?1
        WHERE state = 'pending' AND scheduled_at > ?2
        """)
    private static let count = SQLiteQuery(
        """
        SELECT
            count(*) FILTER (WHERE state = 'pending'),
            min(occurred_at) FILTER (WHERE state = 'pending'),
            count(*) FILTER (WHERE state = 'dead')
        FROM outbox
        """)

    func claim(limit: Int, lease: Duration, deadline: Deadline) async throws -> [ClaimedEvent] {
        let token = Identifier.random()
        let movesBack = steps.isDue()
        let claimed = try await store.write(deadline: deadline) { connection in
            let now = WallClock.microseconds
            if movesBack {
                let ahead = now + ClockStep.secondsMin * UserClock.microsecondsPerSecond
                try connection.statement(Self.moveBack).bind(1, now).bind(2, ahead).run()
            }
            return try connection.statement(Self.claim)
                .bind(1, limit).bind(2, now).bind(3, token).bind(4, now + lease.microseconds)
                .all { (sequence: $0.int64(7), event: Self.event($0, token)) }
        }
        // RETURNING answers in no order.
        return claimed.sorted { $0.sequence < $1.sequence }.map(\.event)
    }

    func markDelivered(_ claims: [EventClaim], deadline: Deadline) async throws {
        try await store.write(deadline: deadline) { connection in
            for claim in claims {
                try connection.statement(Self.delivered).bind(1, claim.eventID).bind(2, claim.token).run()
            }
        }
    }

    func retry(_ claim: EventClaim, after delay: Duration, error: String, deadline: Deadline) async throws {
        try await store.write(deadline: deadline) { connection in
            let now = WallClock.microseconds
            _ = try connection.statement(Self.setBack)
                .bind(1, claim.eventID).bind(2, claim.token).bind(3, now + delay.microseconds)
                .bind(4, OutboxBounds.kept(error)).bind(5, now).run()
        }
    }

    func bury(_ claim: EventClaim, error: String, deadline: Deadline) async throws {
        try await store.write(deadline: deadline) { connection in
            _ = try connection.statement(Self.setAside)
                .bind(1, claim.eventID).bind(2, claim.token).bind(3, OutboxBounds.kept(error)).run()
        }
    }

    func requeueDead(deadline: Deadline) async throws -> Int {
        let count = try await store.write(deadline: deadline) { connection in
            try connection.statement(Self.requeue).bind(1, WallClock.microseconds).run()
        }
        if count > 0 { signal.raise() }
        return count
    }

    func statistics(deadline: Deadline) async throws -> OutboxStatistics {
        let statistics = try await store.read(deadline: deadline) { connection in
            try connection.statement(Self.count).first { row in
                let pending = Int(row.int64(0))
                let age = pending == 0 ? 0 : max(0, WallClock.microseconds - row.int64(1))
                return OutboxStatistics(
                    pending: pending, oldestPendingSeconds: Double(age) / 1e6, dead: Int(row.int64(2)))
            }
        }
        return statistics ?? OutboxStatistics(pending: 0, oldestPendingSeconds: 0, dead: 0)
    }

    func waitForEvent(timeout: Duration) async throws {
        try await signal.wait(timeout: timeout)
    }

    private static func event(_ row: SQLiteRow, _ token: String) -> ClaimedEvent {
        let event = UserCreatedEvent(
            id: row.string(0), userID: row.string(1), name: row.string(2), email: row.string(3),
            company: row.string(4), occurredAtMicroseconds: row.int64(5),
            trace: TraceParent(row.string(8)))
        return ClaimedEvent(
            event: event, claim: EventClaim(eventID: event.id, token: token), attempts: Int(row.int64(6)))
    }
}
