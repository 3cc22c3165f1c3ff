import CPostgres
import Storage

extension StorageError {
    /// The one place where SQLSTATEs get a meaning. Source: https://www.postgresql.org/docs/15/errcodes-appendix.html
    static func kind(sqlState: String) -> Kind {
        switch sqlState {
        case "23505": return .duplicateKey
        case "40001", "40P01", "55P03": return .busy  // serialization failure, deadlock, lock not available
        case "57014": return .timeout  // query canceled, by statement_timeout or by a person
        case "53100": return .full
        case "XX001", "XX002": return .corrupt
        case "42501", "3D000": return .accessDenied  // no permission, no such database
        // A standby, as after a failover: the primary is elsewhere now. A statement that a pooler made us lose.
        case "25006", "26000": return .connectionLost
        // Too many connections, starting up, shutting down, sat idle in a transaction for too long.
        case "53300", "57P01", "57P02", "57P03", "57P05", "25P03": return .connectionLost
        default: break
        }
        switch sqlState.prefix(2) {
        case "08": return .connectionLost
        case "28": return .accessDenied
        default: return .other
        }
    }

    /// What the server said to a statement.
    ///
    /// Of its texts only the primary message is taken, and not even that where it repeats values: DETAIL holds the whole
    /// key, and with it somebody's address.
    init(postgres result: PostgresResult, isConnectionLost: Bool) {
        let sqlState = result.errorField("C") ?? ""
        let constraint = result.errorField("n")
        let text: String
        switch sqlState.prefix(2) {
        case "22": text = "a value does not fit its column"
        case "23": text = "a constraint is violated\(constraint.map { ": \($0)" } ?? "")"
        default: text = result.errorField("M") ?? "no reason given"
        }
        let kind: Kind = isConnectionLost || sqlState.isEmpty ? .connectionLost : Self.kind(sqlState: sqlState)
        self.init(kind, "\(text) (SQLSTATE \(sqlState.isEmpty ? "unknown" : sqlState))")
        key = constraint
    }

    /// Why a connection could not be made, from what libpq says in its verbose form: `FATAL:  28P01: text`, and where
    /// that came from in the server's source on further lines.
    ///
    /// - Parameter needsPassword: the server wants one and there is none, which libpq says without a SQLSTATE.
    init(postgresConnecting message: String, needsPassword: Bool) {
        let lines = message.split(separator: "\n").filter { !$0.hasPrefix("LOCATION:") }
        let sqlState = lines.lazy.compactMap(Self.sqlState).first
        let text = lines.map { String($0).trimmed }.joined(separator: " ")
        switch sqlState {
        case let state? where state.hasPrefix("28"):
            // The server's text names the user, which is half of the credentials.
            self.init(.accessDenied, "the server refuses user, password or address (SQLSTATE \(state))")
        case let state?:
            self.init(Self.kind(sqlState: state), text)
        case nil:
            self.init(needsPassword ? .accessDenied : .connectionLost, text.isEmpty ? "no connection" : text)
        }
        // Whatever else it is, there is no connection, and trying again may help.
        if !isPermanentFailure { kind = .connectionLost }
    }

    /// The SQLSTATE in `SEVERITY:  SQLSTATE: text`.
    private static func sqlState(in line: Substring) -> String? {
        for part in line.split(separator: ":") {
            let word = part.drop { $0 == " " }
            let isState = word.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) }
            if word.utf8.count == 5, isState, part.hasPrefix("  "), word != "FATAL", word != "PANIC" {
                return String(word)
            }
        }
        return nil
    }
}
