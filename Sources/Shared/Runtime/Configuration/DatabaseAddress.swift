import RPC

/// Where a service's store is, from `DB_HOST`.
///
/// Its description shows neither user, password nor options, so it may be logged; the associated values may not.
public enum DatabaseAddress: Sendable, Equatable {
    /// The embedded store in a file.
    case sqlite(path: String)
    /// A server, of the kind that the service is made for.
    case server(HostPort)
    /// A `mongodb://` or `mongodb+srv://` URI.
    case mongo(uri: String)
    /// A `postgresql://` or `postgres://` URI.
    case postgres(uri: String)

    /// Reads `DB_HOST`.
    ///
    /// - Parameter standard: what it is when `DB_HOST` is not set.
    /// - Throws: ``ConfigurationError``, which does not repeat a URI.
    public init(environment: [String: String], default standard: HostPort) throws(ConfigurationError) {
        guard let text = Settings(environment: environment).variable("DB_HOST") else {
            self = .server(standard)
            return
        }
        if text.hasPrefix("sqlite:") {
            let path = String(text.dropFirst("sqlite:".count))
            guard !path.isEmpty else {
                throw ConfigurationError("DB_HOST: sqlite: needs a path, such as sqlite:/var/lib/shippy/vessel.db")
            }
            self = .sqlite(path: path)
        } else if Self.isURI(text, ["mongodb://", "mongodb+srv://"]) {
            self = .mongo(uri: text)
        } else if Self.isURI(text, ["postgresql://", "postgres://"]) {
            self = .postgres(uri: text)
        } else if let address = HostPort(text), !address.host.isEmpty, address.port != 0 {
            self = .server(address)
        } else {
            // The text may be a URI with a password and a slip of the pen, so it is not shown.
            throw ConfigurationError("DB_HOST is not host:port, sqlite:PATH, mongodb://… or postgresql://…")
        }
    }

    private static func isURI(_ text: String, _ schemes: [String]) -> Bool {
        schemes.contains { text.hasPrefix($0) && text.utf8.count > $0.utf8.count }
    }
}

extension DatabaseAddress: CustomStringConvertible, CustomDebugStringConvertible {
    public var description: String {
        switch self {
        case .sqlite(let path): "sqlite:\(path)"
        case .server(let address): "\(address)"
        case .mongo(let uri), .postgres(let uri): Self.withoutSecrets(uri)
        }
    }

    public var debugDescription: String { description }

    /// Scheme, hosts and path of a URI. Passwords are often put in unescaped, so where it is not plain which part is
    /// which, only the scheme is shown.
    private static func withoutSecrets(_ uri: String) -> String {
        let parts = uri.split(separator: ":", maxSplits: 1)
        guard let scheme = parts.first, let rest = parts.last?.dropFirst("//".count) else { return "…" }
        let beforeOptions = rest.prefix { $0 != "?" && $0 != "#" }
        guard !rest[beforeOptions.endIndex...].contains("@") else { return "\(scheme)://…" }
        let shown = beforeOptions.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        return "\(scheme)://\(shown)"
    }
}
