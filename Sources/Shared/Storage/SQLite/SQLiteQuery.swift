import Synchronization

/// An SQL text that each connection prepares once, on first use, and keeps.
///
/// Make each a `static let`: every value made takes a place in each connection for good.
public struct SQLiteQuery: Sendable {
    private static let count = Atomic<Int>(0)

    /// One statement, with parameters `?1`, `?2`, …
    public let sql: String
    /// The place of its statement in a connection.
    let index: Int

    public init(_ sql: String) {
        self.sql = sql
        index = Self.count.wrappingAdd(1, ordering: .relaxed).oldValue
    }
}
