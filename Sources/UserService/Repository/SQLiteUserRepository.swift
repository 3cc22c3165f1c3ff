import Idempotency
import LeasedQueue
import RPC
import SQLiteStorage
import Storage

/// Users in the embedded store, and the events that tell of them.
struct SQLiteUserRepository: UserRepository {
    private static let keys = SQLiteIdempotency(answer: "user_id")

    /// Times are in microseconds since 1970. `due_at` is both when an event is to be tried and, once it is claimed,
    /// when its lease ends. `scheduled_at` is when that was decided; see ``ClockStep``.
    static let migrations = [
        """
        CREATE TABLE users (
            id TEXT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            company TEXT NOT NULL,
            email TEXT NOT NULL,
            folded_email TEXT NOT NULL UNIQUE,
            password TEXT NOT NULL,
            created_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX users_in_order ON users (created_at, id);
        CREATE TABLE outbox (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            user_id TEXT NOT NULL,
            name TEXT NOT NULL,
            email TEXT NOT NULL,
            company TEXT NOT NULL,
            occurred_at INTEGER NOT NULL,
            state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'dead')),
            attempts INTEGER NOT NULL DEFAULT 0,
            due_at INTEGER NOT NULL,
            claim_token TEXT,
            last_error TEXT
        );
        CREATE INDEX outbox_pending ON outbox (due_at, sequence) WHERE state = 'pending';
        \(keys.schema)
        """,
        "ALTER TABLE outbox ADD COLUMN traceparent TEXT",
        """
        ALTER TABLE outbox ADD COLUMN scheduled_at INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX outbox_scheduled ON outbox (scheduled_at) WHERE state = 'pending';
        """,
    ]

    let store: SQLiteStore
    /// Notified when an event was stored. There is one process, so no other needs to hear.
    let signal = WakeupSignal()
    /// Rate limit of the search for events that were scheduled in the future.
    let steps = Pace(every: ClockStep.interval)

    func create(
        _ user: StoredUser, event: UserCreatedEvent, claim: IdempotencyClaim?, deadline: Deadline
    ) async throws -> CreatedUser {
        let created = try await store.write(deadline: deadline) { connection in
            if let claim, let first = try Self.answer(to: claim, connection) {
                return CreatedUser(user: first, isRepeat: true)
            }
            try Self.insert(user, connection)
            try Self.insert(event, connection)
            if let claim { try Self.keys.keep(claim, answer: Array(user.id.utf8), connection) }
            return CreatedUser(user: user, isRepeat: false)
        }
        if !created.isRepeat { signal.notify() }
        return created
    }

    func answer(to claim: IdempotencyClaim, deadline: Deadline) async throws -> StoredUser? {
        try await store.read(deadline: deadline) { try Self.answer(to: claim, $0) }
    }

    func user(id: String, deadline: Deadline) async throws -> StoredUser? {
        try await store.read(deadline: deadline) { try $0.statement(Self.byID).bind(1, id).first(Self.user) }
    }

    func user(email: String, deadline: Deadline) async throws -> StoredUser? {
        try await store.read(deadline: deadline) { connection in
            try connection.statement(Self.byEmail).bind(1, FoldedEmail.of(email)).first(Self.user)
        }
    }

    func newestCreation(deadline: Deadline) async throws -> Int64? {
        try await store.read(deadline: deadline) {
            try $0.statement(Self.newest).bind(1, MonotonicTimestamps.end).first { $0.int64(0) }
        }
    }

    func page(after: UserPosition?, limit: Int, deadline: Deadline) async throws -> [StoredUser] {
        try await store.read(deadline: deadline) { connection in
            guard let after else { return try connection.statement(Self.firstPage).bind(1, limit).all(Self.user) }
            return try connection.statement(Self.nextPage)
                .bind(1, limit).bind(2, after.createdAtMicroseconds).bind(3, after.id).all(Self.user)
        }
    }
}

extension SQLiteUserRepository {
    private static let columns = "id, name, company, email, password, created_at"
    private static let byID = SQLiteQuery("SELECT \(columns) FROM users WHERE id = ?1")
    private static let byEmail = SQLiteQuery("SELECT \(columns) FROM users WHERE folded_email = ?1")
    private static let newest = SQLiteQuery(
        "SELECT created_at FROM users WHERE created_at < ?1 ORDER BY created_at DESC, id DESC LIMIT 1")
    private static let firstPage = SQLiteQuery("SELECT \(columns) FROM users ORDER BY created_at, id LIMIT ?1")
    private static let nextPage = SQLiteQuery(
        "SELECT \(columns) FROM users WHERE (created_at, id) > (?2, ?3) ORDER BY created_at, id LIMIT ?1")
    private static let insertUser = SQLiteQuery(
        """
        INSERT INTO users (id, name, company, email, folded_email, password, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        """)
    private static let insertEvent = SQLiteQuery(
        """
        INSERT INTO outbox (id, user_id, name, email, company, occurred_at, due_at, traceparent, scheduled_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?7)
        """)

    private static func user(_ row: SQLiteRow) -> StoredUser {
        StoredUser(
            id: row.string(0), name: row.string(1), company: row.string(2), email: row.string(3),
            passwordHash: row.string(4), createdAtMicroseconds: row.int64(5))
    }

    private static func insert(_ user: StoredUser, _ connection: SQLiteConnection) throws {
        do throws(StorageError) {
            try connection.statement(insertUser)
                .bind(1, user.id).bind(2, user.name).bind(3, user.company).bind(4, user.email)
                .bind(5, FoldedEmail.of(user.email)).bind(6, user.passwordHash)
                .bind(7, user.createdAtMicroseconds).run()
        } catch {
            let isEmail = error.kind == .duplicateKey && error.key == "users.folded_email"
            throw isEmail ? UserError.emailTaken : error
        }
    }

    private static func insert(_ event: UserCreatedEvent, _ connection: SQLiteConnection) throws {
        try connection.statement(insertEvent)
            .bind(1, event.id).bind(2, event.userID).bind(3, event.name).bind(4, event.email)
            .bind(5, event.company).bind(6, event.occurredAtMicroseconds).bind(7, WallClock.microseconds)
            .bind(8, event.trace?.text ?? "").run()
    }

    private static func answer(to claim: IdempotencyClaim, _ connection: SQLiteConnection) throws -> StoredUser? {
        guard let id = try keys.answer(to: claim, connection) else { return nil }
        return try connection.statement(byID).bind(1, String(decoding: id, as: UTF8.self)).first(user)
    }
}
