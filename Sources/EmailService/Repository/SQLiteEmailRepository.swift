import Idempotency
import RPC
import SQLiteStorage
import Storage
import Traces

/// Mails in the embedded store.
struct SQLiteEmailRepository: EmailRepository {
    static let migrations = [
        """
        CREATE TABLE emails (
            event_id TEXT NOT NULL PRIMARY KEY,
            user_id TEXT NOT NULL,
            recipient TEXT NOT NULL,
            name TEXT NOT NULL,
            company TEXT NOT NULL,
            subject TEXT NOT NULL,
            status INTEGER NOT NULL,
            attempts INTEGER NOT NULL,
            last_error TEXT NOT NULL,
            claim TEXT NOT NULL,
            due_at INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            sent_at INTEGER
        ) WITHOUT ROWID;
        CREATE INDEX emails_due_at ON emails (due_at) WHERE status = 0;
        CREATE INDEX emails_created_at ON emails (created_at) WHERE status = 0;
        """,
        "ALTER TABLE emails ADD COLUMN traceparent TEXT NOT NULL DEFAULT ''",
        // The time at which `due_at` was decided; see ``ClockStep``.
        """
        ALTER TABLE emails ADD COLUMN scheduled_at INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX emails_scheduled_at ON emails (scheduled_at) WHERE status = 0;
        """,
    ]

    private static let columns =
        "event_id, user_id, recipient, name, company, subject, status, attempts, last_error, created_at, traceparent"
    private static let insert = SQLiteQuery(
        """
        INSERT INTO emails (\(columns), claim, due_at, scheduled_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, '', ?7, ?8, '', ?7, ?7)
        ON CONFLICT (event_id) DO NOTHING
        """)
    private static let find = SQLiteQuery("SELECT \(columns) FROM emails WHERE event_id = ?1")
    private static let take = SQLiteQuery(
        """
        UPDATE emails SET claim = ?1, due_at = ?2, scheduled_at = ?3, attempts = attempts + 1 WHERE event_id =
        (SELECT event_id FROM emails WHERE status = 0 AND due_at <= ?3 ORDER BY due_at LIMIT 1)
        RETURNING \(columns)
        """)
    private static let sent = SQLiteQuery(
        "UPDATE emails SET status = 1, last_error = '', sent_at = ?2 WHERE event_id = ?1")
    private static let failed = SQLiteQuery(
        "UPDATE emails SET status = 2, last_error = ?3 WHERE event_id = ?1 AND claim = ?2 AND status = 0")
    private static let giveBack = SQLiteQuery(
        """
        UPDATE emails SET claim = '', last_error = ?3, due_at = ?4, scheduled_at = ?5
        WHERE event_id = ?1 AND claim = ?2 AND status = 0
        """)
    private static let moveBack = SQLiteQuery(
        """
        UPDATE emails SET due_at = ?1 + (due_at - scheduled_at), scheduled_at = ?1
        WHERE status = 0 AND scheduled_at > ?2
        """)
    private static let oldest = SQLiteQuery("SELECT min(created_at) FROM emails WHERE status = 0")
    private static let count = SQLiteQuery(
        "SELECT count(*) FROM (SELECT 1 FROM emails WHERE status = 0 LIMIT \(MailStatistics.countMax))")

    let store: SQLiteStore
    /// Rate limit of the search for mails that were scheduled in the future.
    private let steps = Pace(every: ClockStep.interval)

    init(store: SQLiteStore) {
        self.store = store
    }

    func store(_ mail: NewMail, deadline: Deadline) async throws -> (mail: StoredMail, isNew: Bool) {
        try await store.write(deadline: deadline) { connection in
            let isNew =
                try connection.statement(Self.insert)
                .bind(1, mail.eventID).bind(2, mail.userID).bind(3, mail.recipient).bind(4, mail.name)
                .bind(5, mail.company).bind(6, mail.subject).bind(7, WallTime.now.milliseconds)
                .bind(8, mail.trace?.text ?? "").run() > 0
            let stored = try connection.statement(Self.find).bind(1, mail.eventID).first(Self.mail)
            guard let stored else { throw StorageError(.other, "a stored mail was not found") }
            return (stored, isNew)
        }
    }

    func mail(eventID: String, deadline: Deadline) async throws -> StoredMail? {
        try await store.read(deadline: deadline) {
            try $0.statement(Self.find).bind(1, eventID).first(Self.mail)
        }
    }

    func claim(lease: Duration, deadline: Deadline) async throws -> ClaimedMail? {
        let movesBack = steps.isDue()
        return try await store.write(deadline: deadline) { connection in
            let now = WallTime.now
            if movesBack {
                let ahead = now + .seconds(ClockStep.secondsMin)
                try connection.statement(Self.moveBack).bind(1, now.milliseconds).bind(2, ahead.milliseconds).run()
            }
            let token = Identifier.random()
            let mail = try connection.statement(Self.take)
                .bind(1, token).bind(2, (now + lease).milliseconds).bind(3, now.milliseconds).first(Self.mail)
            return mail.map { ClaimedMail(mail: $0, claim: MailClaim(eventID: $0.eventID, token: token)) }
        }
    }

    func markSent(eventID: String, deadline: Deadline) async throws {
        try await store.write(deadline: deadline) {
            _ = try $0.statement(Self.sent).bind(1, eventID).bind(2, WallTime.now.milliseconds).run()
        }
    }

    func markFailed(_ claim: MailClaim, error: String, deadline: Deadline) async throws -> Bool {
        try await store.write(deadline: deadline) {
            try $0.statement(Self.failed).bind(1, claim.eventID).bind(2, claim.token).bind(3, error).run() > 0
        }
    }

    func retry(_ claim: MailClaim, after delay: Duration, error: String, deadline: Deadline) async throws -> Bool {
        try await store.write(deadline: deadline) {
            let now = WallTime.now
            return try $0.statement(Self.giveBack).bind(1, claim.eventID).bind(2, claim.token).bind(3, error)
                .bind(4, (now + delay).milliseconds).bind(5, now.milliseconds).run() > 0
        }
    }

    func statistics(deadline: Deadline) async throws -> MailStatistics {
        try await store.read(deadline: deadline) { connection in
            let oldest = try connection.statement(Self.oldest).first { $0.int64(0) } ?? 0
            guard oldest > 0 else { return MailStatistics(pending: 0, oldestPendingSeconds: 0) }
            let count = try connection.statement(Self.count).first { $0.int64(0) } ?? 0
            let age = WallTime.now - WallTime(milliseconds: oldest)
            return MailStatistics(pending: Int(count), oldestPendingSeconds: max(0, age / .seconds(1)))
        }
    }

    private static func mail(_ row: SQLiteRow) -> StoredMail {
        StoredMail(
            content: NewMail(
                eventID: row.string(0), userID: row.string(1), recipient: row.string(2), name: row.string(3),
                company: row.string(4), subject: row.string(5), trace: TraceParent(row.string(10))),
            // What a newer program wrote is at least not sent again by this one.
            status: StoredMail.Status(rawValue: row.int32(6)) ?? .failed, attempts: Int(row.int64(7)),
            lastError: row.string(8), createdAt: WallTime(milliseconds: row.int64(9)))
    }
}
