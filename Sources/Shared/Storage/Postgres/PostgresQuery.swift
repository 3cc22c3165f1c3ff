import Storage
import Synchronization

/// An SQL text that each connection prepares once, on first use, and keeps.
///
/// Make each a `static let`: every value made takes a place in each connection for good.
public struct PostgresQuery: Sendable {
    private static let count = Atomic<Int>(0)
    /// Statements that a connection keeps. Queries made after that many are sent whole each time.
    static let preparedCountMax = 256

    /// One statement, with parameters `$1`, `$2`, … Values never become part of it.
    public let sql: String
    /// The place of its statement in a connection.
    let index: Int
    /// How it shows in traces.
    let operation: StoreOperation

    public init(_ sql: String) {
        self.sql = sql
        operation = QuerySummary(sql).operation
        index = Self.count.wrappingAdd(1, ordering: .relaxed).oldValue
    }

    /// Its statement's name on the server.
    var name: String { "q\(index)" }
}
