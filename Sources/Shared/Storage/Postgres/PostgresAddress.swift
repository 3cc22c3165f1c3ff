import CPostgres
import RPC
import Storage

/// Where PostgreSQL is and how to talk to it: libpq's connection parameters with our defaults.
///
/// TLS is libpq's: `sslmode` and `sslrootcert` of the URI, or `PGSSLMODE` and `PGSSLROOTCERT`.
/// Source: https://www.postgresql.org/docs/current/libpq-connect.html
public struct PostgresAddress: Sendable, Equatable {
    /// What `DB_HOST` means when it is not set.
    public static let defaultHost = "localhost:5432"
    /// What `DB_NAME` and `DB_USER` mean when neither they nor the URI say.
    public static let defaultDatabase = "shippy"
    public static let defaultUser = "shippy"

    private static let defaultPort = "5432"
    private static let schemes = ["postgresql://", "postgres://"]
    private static let connectTimeoutSecondsDefault = 5
    private static let connectTimeoutSecondsRange = 1...60
    /// What libpq knows: a slip of the pen here is told at the start and not as a server that can't be reached.
    private static let choices: [String: Set<String>] = [
        "sslmode": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
        "target_session_attrs": ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"],
    ]

    /// One server of the address: parameters that differ between servers.
    struct Target: Sendable, Equatable {
        /// A name, an address, or the folder of a Unix socket.
        var host: String
        var port: String
        var hostAddress: String?
    }

    /// To be tried in this order.
    let targets: [Target]
    /// What the servers have in common, by libpq's keyword.
    let options: [String: String]
    /// For each target, from the first packet to the end of the login.
    let connectTimeout: Duration
    public let database: String

    /// - Parameters:
    ///   - text: `DB_HOST`: `host:port`, `host`, or a `postgresql://` URI.
    ///   - database: `DB_NAME`; for what the URI leaves open, as are the next two.
    ///   - user: `DB_USER`.
    ///   - password: `DB_PASSWORD`.
    /// - Throws: ``StorageError`` of kind `.configuration`, which may be shown and repeats nothing that may be a secret.
    public init(
        _ text: String = defaultHost, database: String? = nil, user: String? = nil, password: String? = nil
    ) throws(StorageError) {
        let isURI = Self.schemes.contains { text.hasPrefix($0) }
        var options = isURI ? try Self.parse(text) : try Self.server(text)
        self.database = options["dbname"] ?? database ?? Self.defaultDatabase
        options["dbname"] = self.database
        options["user"] = options["user"] ?? user ?? Self.defaultUser
        options["password"] = options["password"] ?? password
        targets = try Self.targets(&options)
        connectTimeout = .seconds(try Self.connectTimeoutSeconds(&options))
        for (keyword, value) in Self.defaults where options[keyword] == nil { options[keyword] = value }
        // Texts are UTF-8 here, whatever the database keeps.
        options["client_encoding"] = "UTF8"
        for (keyword, values) in Self.choices {
            guard let value = options[keyword], !values.contains(value) else { continue }
            throw StorageError(
                .configuration,
                "the PostgreSQL URI has a \(keyword) that is none of \(values.sorted().joined(separator: ", "))")
        }
        guard options.allSatisfy({ !$0.value.utf8.contains(0) }) else {
            throw StorageError(
                .configuration, "the PostgreSQL address, DB_NAME, DB_USER or DB_PASSWORD holds a zero byte")
        }
        self.options = options
    }

    /// Reads `DB_HOST`, `DB_NAME`, `DB_USER`, and `DB_PASSWORD` or `DB_PASS`, of which the first wins.
    ///
    /// - Parameter variable: what an environment variable says; `nil` when it is not set.
    public init(variable: (String) -> String?) throws(StorageError) {
        try self.init(
            variable("DB_HOST") ?? Self.defaultHost, database: variable("DB_NAME"), user: variable("DB_USER"),
            password: variable("DB_PASSWORD") ?? variable("DB_PASS"))
    }

    /// A dead peer is noticed within about 25 s even where nothing is sent; and nothing looks for Kerberos tickets,
    /// which takes longer than all the rest of connecting, unless the URI asks for it.
    private static let defaults = [
        "keepalives": "1", "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3",
        "tcp_user_timeout": "10000", "gssencmode": "disable",
    ]
}

// MARK: - Parsing

extension PostgresAddress {
    /// `host:port` or `host`.
    private static func server(_ text: String) throws(StorageError) -> [String: String] {
        let address = text.contains(":") ? HostPort(text) : HostPort("\(text):\(defaultPort)")
        guard let address, !address.host.isEmpty, address.port > 0 else {
            // The text may be a URI with a slip of the pen, and hold a password.
            let shown = text.contains("@") ? "the PostgreSQL address" : "'\(text)'"
            throw StorageError(.configuration, "\(shown) is neither host:port nor a postgresql:// URI")
        }
        return ["host": address.host, "port": "\(address.port)"]
    }

    private static func parse(_ uri: String) throws(StorageError) -> [String: String] {
        var message: UnsafeMutablePointer<CChar>?
        guard let parsed = PQconninfoParse(uri, &message) else {
            let reason = message.map { ": " + String(cString: $0).trimmed } ?? ""
            PQfreemem(message)
            // libpq repeats the part that it stumbled over, which may be a password.
            let isSafe = !uri.contains("@") && !uri.contains("password")
            throw StorageError(.configuration, "the PostgreSQL URI is not valid\(isSafe ? reason : "")")
        }
        defer { PQconninfoFree(parsed) }
        var options: [String: String] = [:]
        var option = parsed
        // The list ends with an entry without a keyword.
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val, value.pointee != 0 {
                options[String(cString: keyword)] = String(cString: value)
            }
            option += 1
        }
        return options
    }

    /// Takes the servers out of `options`. Each is tried for itself, as libpq gives up one that is silent only where it
    /// blocks, and then it tells no SQLSTATE.
    private static func targets(_ options: inout [String: String]) throws(StorageError) -> [Target] {
        let hosts = list(options.removeValue(forKey: "host"))
        let addresses = list(options.removeValue(forKey: "hostaddr"))
        let ports = list(options.removeValue(forKey: "port"))
        let count = max(hosts.count, addresses.count)
        guard addresses.isEmpty || hosts.isEmpty || addresses.count == hosts.count, ports.count <= max(1, count),
            ports.count <= 1 || ports.count == count
        else {
            throw StorageError(.configuration, "the PostgreSQL URI has another number of ports than of hosts")
        }
        for port in ports where !port.isEmpty {
            guard let number = UInt16(port), number > 0 else {
                throw StorageError(.configuration, "the PostgreSQL URI has a port that is no number from 1 to 65535")
            }
        }
        return (0..<max(1, count)).map { index in
            let port = ports.isEmpty ? "" : ports[ports.count == 1 ? 0 : index]
            return Target(
                host: hosts.isEmpty ? "" : hosts[index], port: port.isEmpty ? defaultPort : port,
                hostAddress: addresses.isEmpty ? nil : addresses[index])
        }
    }

    private static func list(_ text: String?) -> [String] {
        text?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) ?? []
    }

    private static func connectTimeoutSeconds(_ options: inout [String: String]) throws(StorageError) -> Int {
        guard let text = options.removeValue(forKey: "connect_timeout") else { return connectTimeoutSecondsDefault }
        guard let seconds = Int(text), connectTimeoutSecondsRange.contains(seconds) else {
            throw StorageError(.configuration, "the PostgreSQL URI has a connect_timeout that is not 1 to 60 seconds")
        }
        return seconds
    }
}

/// Neither user, password nor options are shown, however it is printed.
extension PostgresAddress: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String {
        let hosts = targets.map { target in
            let host = target.host.isEmpty ? target.hostAddress ?? "local socket" : target.host
            return host.hasPrefix("/")
                ? host : host.contains(":") ? "[\(host)]:\(target.port)" : "\(host):\(target.port)"
        }
        return "\(hosts.joined(separator: ","))/\(database)"
    }

    public var debugDescription: String { description }

    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension String {
    /// Without white space at both ends; libpq's texts end with a line feed.
    var trimmed: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }
}
