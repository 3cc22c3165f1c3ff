import Logging
import NIOCore
import RPC
import Storage
import Synchronization

/// Threads that talk SMTP, one mail each at a time.
final class MailTransport: Sendable {
    /// Mails on their way at the same time, from one process.
    static let threadCount = 4

    let settings: SMTPSettings
    private let pool: ConnectionPool<SMTPConnection>
    private let abandoned = Atomic(false)

    /// Connects to nothing, now or at the start.
    init(_ settings: SMTPSettings, logger: Logger) {
        self.settings = settings
        var configuration = PoolConfiguration(name: "smtp", threads: Self.threadCount)
        configuration.tracing = .calls(
            name: "smtp send", kind: .client,
            attributes: [
                "server.address": .string(settings.address.server.host),
                "server.port": .int64(Int64(settings.address.server.port)),
            ])
        pool = ConnectionPool(configuration, logger: logger) {
            try SMTPConnection(settings)
        }
    }

    /// - Throws: `StorageError` when the system has no threads left.
    func start() throws { try pool.start() }

    /// Waits for the conversations that go on, at most for the settings' timeout.
    func shutdown() async { await pool.shutdown() }

    /// Ends the conversations that go on, within about a second. What became of their mails may then be unknown.
    func abandon() { abandoned.store(true, ordering: .relaxed) }

    var isAbandoned: Bool { abandoned.load(ordering: .relaxed) }

    /// Sends a mail and waits for the server's word. The task's cancellation does not end it.
    ///
    /// - Parameter contentEnd: the mail is not handed over later than this.
    func send(_ message: MailMessage, contentEnd: NIODeadline) async -> SMTPOutcome {
        // A conversation that nobody hears the end of could be a mail that nobody knows was sent.
        await Task { [self] in
            do {
                return try await pool.run(deadline: Deadline(contentEnd)) { connection in
                    connection.send(message, contentEnd: contentEnd) { [weak self] in self?.isAbandoned ?? true }
                }
            } catch {
                return .serverFault("the try did not begin: \(error)")
            }
        }.value
    }
}

/// A try that came to nothing is an outcome, not an error, and still shows as one in traces.
extension SMTPOutcome: TracedOutcome {}
