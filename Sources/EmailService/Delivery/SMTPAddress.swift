import RPC
import Runtime

/// Where mails are handed over, and how: `SMTP_URL`, read and checked.
///
/// `smtp://[USER:PASSWORD@]HOST[:PORT][?starttls=required|offered|never]` or `smtps://[USER:PASSWORD@]HOST[:PORT]`.
/// User and password are percent-encoded. It has no description of its own on purpose: it holds a password.
struct SMTPAddress: Sendable, Equatable {
    /// What keeps others from reading along.
    enum Security: String, Sendable, Equatable {
        /// TLS from the first byte: `smtps://`.
        case implicit
        /// No mail and no password goes out before STARTTLS has succeeded.
        case required
        /// STARTTLS where the server offers it. Whoever sits between can take the offer away.
        case offered
        /// In clear, always.
        case never
    }

    struct Login: Sendable, Equatable {
        var user: String
        var password: String
    }

    /// For submission, with STARTTLS and from the first byte (RFC 6409, RFC 8314).
    private static let submissionPort = 587
    private static let implicitTLSPort = 465
    private static let option = "starttls"

    let server: HostPort
    let login: Login?
    let security: Security

    /// - Throws: what can't be used, in one line that names the variable and shows neither user nor password.
    init(_ text: String) throws(ConfigurationError) {
        let isImplicit = text.hasPrefix("smtps://")
        guard isImplicit || text.hasPrefix("smtp://") else {
            throw Self.error("it must begin with smtp:// or smtps://")
        }
        guard !text.contains("#") else { throw Self.error("write # in user or password as %23") }
        let rest = text.dropFirst(isImplicit ? "smtps://".count : "smtp://".count)
        let halves = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let authority = halves[0].hasSuffix("/") ? halves[0].dropLast() : halves[0]
        guard !authority.contains("/") else { throw Self.error("it has a path, or a / in user or password: write %2F") }
        let parts = authority.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count <= 2 else { throw Self.error("write @ in user or password as %40") }
        login = parts.count == 2 ? try Self.login(parts[0]) : nil
        server = try Self.server(parts[parts.count - 1], port: isImplicit ? Self.implicitTLSPort : Self.submissionPort)
        let wish = halves.count == 2 ? try Self.wish(halves[1]) : nil
        security = try Self.security(wish, isImplicit: isImplicit, hasLogin: login != nil, server)
    }

    /// For libcurl; without user and password, which it is given apart.
    var url: String { "\(security == .implicit ? "smtps" : "smtp")://\(server)/" }

    private static func login(_ text: Substring) throws(ConfigurationError) -> Login {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw error("it needs both a user and a password, or neither")
        }
        guard let user = PercentEncoding.decode(parts[0]), let password = PercentEncoding.decode(parts[1]) else {
            throw error("user or password is not percent-encoded UTF-8; write % as %25")
        }
        guard !user.hasControls, !password.hasControls else {
            throw error("user and password must not hold control characters")
        }
        return Login(user: user, password: password)
    }

    private static func server(_ text: Substring, port: Int) throws(ConfigurationError) -> HostPort {
        let hasPort = text.last != "]" && text.contains(":")
        let isPlain = text.utf8.allSatisfy { $0.isAlphanumericASCII || "-._:[]".utf8.contains($0) }
        guard isPlain, let server = HostPort(hasPort ? String(text) : "\(text):\(port)"), !server.host.isEmpty,
            server.port > 0
        else {
            // Not shown: with a slip of the pen it may be a piece of the password.
            throw error("what follows the login must be host or host:port, such as mail.example.com:587")
        }
        return server
    }

    private static func wish(_ query: Substring) throws(ConfigurationError) -> Security {
        let parts = query.split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == option, let wish = Security(rawValue: String(parts[1])), wish != .implicit
        else {
            throw error("the only option is ?starttls=required, offered or never; write ? in user or password as %3F")
        }
        return wish
    }

    /// A password leaves this machine in clear only where somebody wrote so.
    private static func security(
        _ wish: Security?, isImplicit: Bool, hasLogin: Bool, _ server: HostPort
    ) throws(ConfigurationError) -> Security {
        if isImplicit {
            guard wish == nil else { throw error("smtps:// is encrypted from the start and takes no starttls") }
            return .implicit
        }
        let isSafe = !hasLogin || isLoopback(server.host)
        guard let wish else { return isSafe ? .offered : .required }
        guard wish != .offered || isSafe else {
            throw error(
                "with starttls=offered the password could be sent in clear; write required, or never if that is wanted")
        }
        return wish
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
        return numbers.count == 4 && numbers[0] == "127" && numbers.allSatisfy { UInt8($0) != nil }
    }

    private static func error(_ reason: String) -> ConfigurationError {
        ConfigurationError("SMTP_URL: \(reason) (smtp://user:password@host:port)")
    }
}
