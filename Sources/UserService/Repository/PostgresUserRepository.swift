import Idempotency
import PostgresStorage
import RPC
import Storage

/// Users in PostgreSQL, and the events that tell of them; see ``PostgresUserSchema`` for the tables.
struct PostgresUserRepository: UserRepository {
    /// Expired keys that each keyed create removes, so that they go at the pace at which they came.
    private static let expiredKeysPerCreate: Int64 = 8

    let store: PostgresStore
    /// Rate limit of the search for events that were scheduled in the future.
    let steps = Pace(every: ClockStep.interval)

    func create(
        _ user: StoredUser, event: UserCreatedEvent, claim: IdempotencyClaim?, deadline: Deadline
    ) async throws -> CreatedUser {
        guard let claim else {
            // One statement is a transaction of its own, and one trip to the server.
            try await store.run(deadline: deadline) { try Self.insert(user, event, $0) }
            return CreatedUser(user: user, isRepeat: false)
        }
        return try await store.transaction(deadline: deadline) { connection in
            guard try Self.take(claim, for: user, connection) else {
                // Committed by another call, if only since we began: at this isolation we see it.
                guard let first = try Self.answer(to: claim, connection) else { throw UserError.unknownUser }
                return CreatedUser(user: first, isRepeat: true)
            }
            try Self.insert(user, event, connection)
            return CreatedUser(user: user, isRepeat: false)
        }
    }

    func answer(to claim: IdempotencyClaim, deadline: Deadline) async throws -> StoredUser? {
        try await store.run(deadline: deadline) { try Self.answer(to: claim, $0) }
    }

    func user(id: String, deadline: Deadline) async throws -> StoredUser? {
        try await store.run(deadline: deadline) { try $0.first(Self.byID, .text(id), decode: Self.user) }
    }

    func user(email: String, deadline: Deadline) async throws -> StoredUser? {
        try await store.run(deadline: deadline) { connection in
            try connection.first(Self.byEmail, .text(email), .text(FoldedEmail.of(email)), decode: Self.user)
        }
    }

    func newestCreation(deadline: Deadline) async throws -> Int64? {
        try await store.run(deadline: deadline) { connection in
            try connection.first(
                Self.newest, .time(microseconds: MonotonicTimestamps.end)
            ) { row throws(StorageError) in
                try row.microseconds(0)
            }
        }
    }

    func page(after: UserPosition?, limit: Int, deadline: Deadline) async throws -> [StoredUser] {
        let limit = PostgresValue.integer(Int64(limit))
        return try await store.run(deadline: deadline) { connection in
            guard let after else { return try connection.all(Self.firstPage, limit, decode: Self.user) }
            return try connection.all(
                Self.nextPage, limit, .time(microseconds: after.createdAtMicroseconds), .text(after.id),
                decode: Self.user)
        }
    }
}

// MARK: - Reading

extension PostgresUserRepository {
    /// Characters of a text that are read: far more than this service stores.
    private static let textLengthMax = 1_000
    /// Rows of other programs may have NULLs, and texts of any length: one of them must not outgrow a page.
    private static let columns = """
        users.id, \(text("name")), \(text("company")), \(text("email")), \(text("password")), users.created_at
        """
    private static func text(_ column: String) -> String { "left(coalesce(users.\(column), ''), \(textLengthMax))" }
    private static let byID = PostgresQuery("SELECT \(columns) FROM users WHERE id = $1")
    /// Of twins who came from another program, each is found by the own spelling; see ``PostgresUserSchema``.
    private static let byEmail = PostgresQuery(
        """
        SELECT \(columns) FROM users WHERE folded_email IN ($1, $2)
        ORDER BY folded_email = $1 DESC LIMIT 1
        """)
    private static let newest = PostgresQuery(
        """
        SELECT created_at FROM users WHERE created_at < $1
        ORDER BY created_at DESC, id COLLATE "C" DESC LIMIT 1
        """)
    private static let order = "ORDER BY created_at, id COLLATE \"C\" LIMIT $1"
    private static let firstPage = PostgresQuery("SELECT \(columns) FROM users \(order)")
    private static let nextPage = PostgresQuery(
        "SELECT \(columns) FROM users WHERE (created_at, id COLLATE \"C\") > ($2, $3) \(order)")

    private static func user(_ row: PostgresRow) throws(StorageError) -> StoredUser {
        StoredUser(
            id: row.string(0), name: row.string(1), company: row.string(2), email: row.string(3),
            passwordHash: row.string(4), createdAtMicroseconds: try row.microseconds(5))
    }
}

// MARK: - Storing

extension PostgresUserRepository {
    private static let insert = PostgresQuery(
        """
        WITH stored AS (
            INSERT INTO users (id, name, company, email, folded_email, password, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
        ), event AS (
            INSERT INTO outbox (id, user_id, name, email, company, occurred_at, traceparent)
            VALUES ($8, $9, $10, $11, $12, $13, $14)
        )
        SELECT pg_notify('\(PostgresUserSchema.channel)', '')
        """)

    private static func insert(_ user: StoredUser, _ event: UserCreatedEvent, _ connection: PostgresConnection) throws {
        do throws(StorageError) {
            try connection.run(
                insert, .text(user.id), .text(user.name), .text(user.company), .text(user.email),
                .text(FoldedEmail.of(user.email)), .text(user.passwordHash),
                .time(microseconds: user.createdAtMicroseconds), .text(event.id), .text(event.userID),
                .text(event.name), .text(event.email), .text(event.company),
                .time(microseconds: event.occurredAtMicroseconds), .text(event.trace?.text ?? ""))
        } catch {
            // Ids are random: where one is taken, something else is wrong.
            let isEmail = error.kind == .duplicateKey && !PostgresUserSchema.idKeys.contains(error.key ?? "")
            throw isEmail ? UserError.emailTaken : error
        }
    }
}

// MARK: - Idempotency

extension PostgresUserRepository {
    private static let age = "interval '\(IdempotencyClaim.retentionSeconds) seconds'"
    private static let findKey = PostgresQuery(
        """
        SELECT \(columns), keys.fingerprint FROM idempotency_keys AS keys JOIN users ON users.id = keys.user_id
        WHERE keys.id = $1 AND keys.created_at >= now() - \(age)
        """)
    /// A key that is in another transaction's hands is waited for. One whose time is over is as good as none.
    private static let takeKey = PostgresQuery(
        """
        INSERT INTO idempotency_keys AS keys (id, fingerprint, user_id) VALUES ($1, $2, $3)
        ON CONFLICT (id) DO UPDATE SET fingerprint = $2, user_id = $3, created_at = now()
        WHERE keys.created_at < now() - \(age)
        """)
    /// Skips those that another call is removing, so that no two calls wait for each other.
    private static let removeKeys = PostgresQuery(
        """
        DELETE FROM idempotency_keys WHERE id IN (
            SELECT id FROM idempotency_keys WHERE created_at < now() - \(age)
            ORDER BY created_at LIMIT \(expiredKeysPerCreate) FOR UPDATE SKIP LOCKED
        )
        """)

    private static func answer(to claim: IdempotencyClaim, _ connection: PostgresConnection) throws -> StoredUser? {
        let found = try connection.first(findKey, .bytes(claim.id)) { row throws(StorageError) in
            (user: try user(row), fingerprint: row.bytes(6))
        }
        guard let found else { return nil }
        try claim.checkRepeat(of: found.fingerprint)
        return found.user
    }

    /// - Returns: false when the key is another call's.
    private static func take(
        _ claim: IdempotencyClaim, for user: StoredUser, _ connection: PostgresConnection
    ) throws -> Bool {
        try connection.run(removeKeys)
        return try connection.run(takeKey, .bytes(claim.id), .bytes(claim.fingerprint), .text(user.id)) == 1
    }
}
