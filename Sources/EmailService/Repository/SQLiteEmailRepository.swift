import Idempotency
import LeasedQueue
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

    let store: SQLiteStore
    /// Rate limit of the search for mails that were scheduled in the future.
    let steps = Pace(every: ClockStep.interval)

    func store(_ mail: NewMail, deadline: Deadline) async throws -> (mail: StoredMail, isNew: Bool) {
        try await store.write(deadline: deadline) { connection in
            let isNew =
                try connection.statement(Self.insert)
                .bind(1, mail.eventID).bind(2, mail.userID).bind(3, mail.recipient).bind(4, mail.name)
                .bind(5, mail.company).bind(6, mail.subject).bind(7, WallTime.now.milliseconds)
                .bind(8, mail.trace?.text ?? "").run() > 0
            let stored = try connection.statement(Self.find).bind(1, mail.eventID).first(Self.item)
            guard let stored else { throw StorageError(.other, "a stored mail was not found") }
            return (stored, isNew)
        }
    }

    func mail(eventID: String, deadline: Deadline) async throws -> StoredMail? {
        try await store.read(deadline: deadline) {
            try $0.statement(Self.find).bind(1, eventID).first(Self.item)
        }
    }

    static func item(_ row: SQLiteRow) -> StoredMail {
        StoredMail(
            content: NewMail(
                eventID: row.string(0), userID: row.string(1), recipient: row.string(2), name: row.string(3),
                company: row.string(4), subject: row.string(5), trace: TraceParent(row.string(10))),
            // What a newer program wrote is at least not sent again by this one.
            status: StoredMail.Status(rawValue: row.int32(6)) ?? .failed, attempts: Int(row.int64(7)),
            lastError: row.string(8), createdAt: WallTime(milliseconds: row.int64(9)))
    }
}

// MARK: - What is to be sent

extension SQLiteEmailRepository: SQLiteLeasedQueue {
    static let leases = SQLiteLeases(
        table: "emails", id: "event_id", pending: "status = 0", columns: columns, microsecondsPerUnit: 1_000)
    private static let sent = SQLiteQuery(
        "UPDATE emails SET status = 1, last_error = '', sent_at = ?2 WHERE event_id = ?1")
    private static let failed = leases.whileHeld("UPDATE emails SET status = 2, last_error = ?3")
    private static let oldest = SQLiteQuery("SELECT min(created_at) FROM emails WHERE status = 0")
    private static let count = SQLiteQuery(
        "SELECT count(*) FROM (SELECT 1 FROM emails WHERE status = 0 LIMIT \(LeasedQueueStatistics.countMax))")

    func finish(_ leases: [Lease], deadline: Deadline) async throws {
        try await store.write(deadline: deadline) { connection in
            for lease in leases {
                try connection.statement(Self.sent)
                    .bind(1, lease.itemID).bind(2, WallTime.now.milliseconds).run()
            }
        }
    }

    func deadLetter(_ lease: Lease, error: String, deadline: Deadline) async throws -> Bool {
        try await store.write(deadline: deadline) {
            try $0.statement(Self.failed).bind(1, lease.itemID).bind(2, lease.token).bind(3, error).run() > 0
        }
    }

    func statistics(deadline: Deadline) async throws -> LeasedQueueStatistics {
        try await store.read(deadline: deadline) { connection in
            let oldest = try connection.statement(Self.oldest).first { $0.int64(0) } ?? 0
            let count = oldest > 0 ? try connection.statement(Self.count).first { $0.int64(0) } ?? 0 : 0
            return LeasedQueueStatistics(pending: Int(count), since: oldest * 1_000)
        }
    }
}
