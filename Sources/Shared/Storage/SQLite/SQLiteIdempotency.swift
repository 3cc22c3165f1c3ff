import Idempotency

/// The idempotency keys of an embedded store, kept in the transaction that does what they stand for.
package struct SQLiteIdempotency: Sendable {
    /// Expired keys that each keyed call removes, so that they go at the pace at which they came.
    private static let expiredPerCall = 8

    /// Makes the table, in a migration. Shipped files were made with it: it must not change.
    package let schema: String
    private let find: SQLiteQuery
    private let keep: SQLiteQuery
    private let remove: SQLiteQuery
    private let forget: SQLiteQuery

    /// Make it a `static let`, as it holds queries.
    ///
    /// - Parameter column: what the bytes are called that a repeat is answered from.
    package init(answer column: String) {
        schema = """
            CREATE TABLE idempotency_keys (
                id BLOB NOT NULL PRIMARY KEY,
                fingerprint BLOB NOT NULL,
                \(column) BLOB NOT NULL,
                created_at INTEGER NOT NULL
            ) WITHOUT ROWID;
            CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
            """
        find = SQLiteQuery("SELECT fingerprint, \(column) FROM idempotency_keys WHERE id = ?1 AND created_at >= ?2")
        keep = SQLiteQuery("INSERT OR REPLACE INTO idempotency_keys VALUES (?1, ?2, ?3, ?4)")
        forget = SQLiteQuery("DELETE FROM idempotency_keys WHERE id = ?1 AND \(column) = ?2")
        remove = SQLiteQuery(
            """
            DELETE FROM idempotency_keys WHERE id IN
            (SELECT id FROM idempotency_keys WHERE created_at < ?1 ORDER BY created_at LIMIT \(Self.expiredPerCall))
            """)
    }

    /// What the first call with this key was answered; `nil` when this is the first.
    ///
    /// - Throws: ABORTED for a key that was used for another request, `StorageError`.
    package func answer(to claim: IdempotencyClaim, _ connection: SQLiteConnection) throws -> [UInt8]? {
        let oldest = WallClock.seconds - IdempotencyClaim.retentionSeconds
        let found = try connection.statement(find).bind(1, claim.id).bind(2, oldest)
            .first { (fingerprint: $0.bytes(0), answer: $0.bytes(1)) }
        guard let found else { return nil }
        try claim.checkRepeat(of: found.fingerprint)
        return found.answer
    }

    /// Keeps what this call is answered, and removes some keys whose time is over.
    package func keep(_ claim: IdempotencyClaim, answer: [UInt8], _ connection: SQLiteConnection) throws {
        let now = WallClock.seconds
        try connection.statement(remove).bind(1, now - IdempotencyClaim.retentionSeconds).run()
        try connection.statement(keep)
            .bind(1, claim.id).bind(2, claim.fingerprint).bind(3, answer).bind(4, now).run()
    }

    /// Removes a key whose call was undone, unless it stands for another answer by now.
    ///
    /// - Parameter id: ``IdempotencyClaim/id``.
    package func forget(_ id: [UInt8], answer: [UInt8], _ connection: SQLiteConnection) throws {
        try connection.statement(forget).bind(1, id).bind(2, answer).run()
    }
}
