import Foundation
import Synchronization

/// A mail server in a process of its own, which keeps what it is given, and misbehaves when asked to.
///
/// It is aiosmtpd in the tests' Python. It ends with this object, or with the tests' process.
public final class SMTPServer: Sendable {
    public enum Encryption: String, Sendable {
        case none
        case starttls
        /// From the first byte.
        case implicit
    }

    /// A place in the conversation where it can misbehave.
    public enum Step: String, Sendable {
        case greeting
        case login
        case sender
        /// The sender of a further mail on a connection.
        case again
        case recipient
        case data
        /// Milliseconds that it waits before it says yes to a mail.
        case linger
    }

    public let port: Int
    private let folder: TemporaryFolder
    private let arguments: [String]
    private let process = Mutex<ProcessRun?>(nil)

    /// Starts a server and waits until it takes connections.
    ///
    /// - Parameters:
    ///   - encryption: with a self-signed certificate for localhost and 127.0.0.1, see ``authority``.
    ///   - login: `user:password`, which is then asked of everyone.
    ///   - name: whom the certificate is for, in place of localhost and 127.0.0.1.
    ///   - isRunning: false leaves the start to ``start()``.
    public init(_ encryption: Encryption = .none, login: String = "", name: String? = nil, isRunning: Bool = true)
        async throws
    {
        folder = try TemporaryFolder()
        port = try Ports.free()
        arguments = [
            Self.script, "--port", "\(port)", "--folder", folder.path, "--tls", encryption.rawValue, "--login", login,
        ]
        if encryption != .none { try await makeCertificate(name.map { "DNS:\($0)" } ?? "DNS:localhost,IP:127.0.0.1") }
        if isRunning { try await start() }
    }

    /// Starts it again, on the same port and with the mails that it had.
    public func start() async throws {
        let run = try ProcessRun(Tool.python, arguments)
        try await run.waitForOutput("listening", within: .seconds(60))
        process.withLock { $0 = run }
    }

    /// Ends it at once.
    public func kill() { process.withLock { $0 = nil } }

    /// What it does from now on: a reply in place of the usual one for each step, or `hang`, or for data `drop`. Whoever
    /// hangs goes on when it is told something else.
    public func misbehave(_ mode: [Step: String]) throws {
        let named = Dictionary(uniqueKeysWithValues: mode.map { ($0.key.rawValue, $0.value) })
        // Renamed into place, so that the server never reads half of it.
        try JSONEncoder().encode(named).write(to: URL(fileURLWithPath: folder.file("mode.json")), options: .atomic)
    }

    /// The mails that it took and said yes to, in their order.
    public var mails: [ReceivedMail] { lines("mails") }

    /// The mails that it took before it hung up without a word.
    public var droppedMails: [ReceivedMail] { lines("dropped") }

    /// How often somebody connected.
    public var connectionCount: Int { (lines("connections") as [Double]).count }

    /// How often somebody tried to log in.
    public var loginCount: Int { (lines("logins") as [String]).count }

    /// The file with the CA certificate that verifies it.
    public var authority: String { folder.file("server.pem") }

    private func lines<Value: Decodable>(_ file: String) -> [Value] {
        guard let text = try? String(contentsOfFile: folder.file(file), encoding: .utf8) else { return [] }
        // The last line may be half written.
        let whole = text[..<(text.lastIndex(of: "\n") ?? text.startIndex)]
        return whole.split(separator: "\n").compactMap { try? JSONDecoder().decode(Value.self, from: Data($0.utf8)) }
    }

    private func makeCertificate(_ names: String) async throws {
        try await Tool.run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                "/CN=localhost", "-addext", "subjectAltName=\(names)", "-keyout",
                folder.file("server.key"), "-out", authority,
            ])
    }

    private static var script: String {
        (#filePath as NSString).deletingLastPathComponent + "/Scripts/smtp_server.py"
    }
}

/// A mail as a server got it and Python's parser reads it.
public struct ReceivedMail: Decodable, Sendable {
    public var subject: String
    public var to: String
    public var from: String
    public var date: String
    public var message_id: String
    /// Names in lower case, sorted.
    public var headers: [String]
    public var text: String
    public var html: String
    /// What the parser found wrong.
    public var defects: [String]
    public var longest_line: Int
    public var is_ascii: Bool
    /// The bytes, each as the character of its number.
    public var raw: String
    /// Of the envelope.
    public var sender: String
    public var recipients: [String]
    public var is_encrypted: Bool
    /// Who logged in; empty without a login.
    public var user: String
    /// The same for mails on one connection.
    public var connection: Int

    /// The event that it is for, as its Message-ID has it.
    public var eventID: String { String(message_id.dropFirst().prefix { $0 != "@" }) }
}
