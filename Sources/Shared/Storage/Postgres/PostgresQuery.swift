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

/// What an SQL text does to which tables, in a few words: `INSERT users INSERT outbox SELECT`.
///
/// It is for people who read traces: it knows the SQL of this project, and may be wrong about other.
/// Source: OpenTelemetry semantic conventions for database client spans, "Generating a summary of the query".
struct QuerySummary {
    /// Of the summary, in characters.
    private static let lengthMax = 255

    private var verbs: [(verb: String, table: String?)] = []
    /// There may be tables that ``verbs`` doesn't name.
    private var isJoined = false

    init(_ sql: String) {
        let tokens = Self.tokens(sql)
        for (index, token) in tokens.enumerated() {
            let before = index > 0 ? tokens[index - 1].word : ""
            let next = index + 1 < tokens.count ? tokens[index + 1] : Token(word: "", isCall: false)
            switch token.word {
            case "SELECT": verbs.append(("SELECT", nil))
            case "INTO" where before == "INSERT": verbs.append(("INSERT", next.word))
            // Not the lock of a SELECT, nor what an INSERT does in a conflict.
            case "UPDATE" where before != "FOR" && before != "DO": verbs.append(("UPDATE", next.table))
            case "FROM" where before == "DELETE": verbs.append(("DELETE", next.word))
            case "FROM" where verbs.last?.verb == "SELECT" && verbs.last?.table == nil:
                verbs[verbs.count - 1].table = next.table
            case "FROM", "JOIN", "USING": isJoined = true
            default: break
            }
        }
    }

    private struct Token {
        var word: String
        /// An opening parenthesis follows.
        var isCall: Bool

        /// The word, where it can be a table's name.
        var table: String? { isCall || word.isEmpty || word == word.uppercased() ? nil : word }
    }

    private static func tokens(_ sql: String) -> [Token] {
        var tokens: [Token] = []
        var word = ""
        for character in sql + " " {
            if character.isLetter || character.isNumber || character == "_" {
                word.append(character)
                continue
            }
            if !word.isEmpty { tokens.append(Token(word: word, isCall: character == "(")) }
            word = ""
        }
        return tokens
    }

    var operation: StoreOperation {
        let summary = verbs.map { verb in verb.table.map { "\(verb.verb) \($0)" } ?? verb.verb }
        let text = String(summary.joined(separator: " ").prefix(Self.lengthMax))
        // Of several, none is what the whole is about.
        let only = verbs.count == 1 ? verbs.first : nil
        return StoreOperation(
            system: "postgresql", operation: only?.verb, collection: isJoined ? nil : only?.table,
            summary: text.isEmpty ? "OTHER" : text)
    }
}

extension StoreOperation {
    static let begin = StoreOperation(system: "postgresql", operation: "BEGIN", collection: nil)
    static let commit = StoreOperation(system: "postgresql", operation: "COMMIT", collection: nil)
    static let rollback = StoreOperation(system: "postgresql", operation: "ROLLBACK", collection: nil)
}
