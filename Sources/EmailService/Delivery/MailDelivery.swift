import LeasedQueue
import Logging
import NIOCore
import RPC
import Runtime
import ServiceLifecycle
import Traces

/// Sends the mails that are due, of all processes that stored any, also of those that have ended.
///
/// A mail is claimed for a lease, sent, and marked. That two workers never send one mail rests on the lease being longer
/// than any try: it is three of the transport's timeouts, a mail is handed over only within the first two, and
/// the server must answer within the third. Clocks of replicas may differ by as much as that leaves.
///
/// One window stays open: a crash between the server's yes and the mark leaves a mail that is sent again when its
/// lease ends. Message-ID is the same then, so that a server or a reader can drop the twin.
struct MailDelivery: QueueHandler {
    /// How long after it was ordered a mail is given up, as mail servers do (RFC 5321, 4.5.4.1).
    static let lifetime: Duration = .seconds(5 * 86_400)

    /// Pauses of all mails while the server is away or rejects the connection; each varies by 20 %.
    static let pause = Backoff(first: .milliseconds(500), factor: 2, longest: .seconds(30))

    /// - Parameters:
    ///   - timeout: the transport's.
    ///   - stopTimeout: how long sends in flight may go on when the program stops.
    static func policy(timeout: Duration, stopTimeout: Duration) -> QueuePolicy {
        var policy = QueuePolicy()
        policy.concurrencyMax = MailTransport.threadCount
        policy.lease = timeout * 3
        policy.pollInterval = .milliseconds(500)
        policy.stopTimeout = stopTimeout
        // Retries of a mail that the server postponed: after 1 s, 3 s, 9 s … up to an hour, each varied by 20 %.
        policy.backoff = Backoff(first: .seconds(1), factor: 3, longest: .seconds(3_600))
        return policy
    }

    let transport: MailTransport
    let sender: Mailbox
    let gate = QueueGate(pause: MailDelivery.pause)
    /// Shows deliveries in the traces of the events that ordered the mails.
    let tracer: SpanTracer
    let logger: Logger

    func handle(_ item: LeasedItem<StoredMail>) async -> QueueOutcome {
        let mail = item.item
        guard let recipient = MailAddress(mail.content.recipient) else {
            TraceSpan.current?.fail("no address")
            return .deadLetter(reason: "the stored address is not an address")
        }
        let message = MailMessage(
            eventID: mail.eventID, from: sender, to: Mailbox(name: "", address: recipient),
            subject: mail.content.subject,
            content: WelcomeMail(name: mail.content.name, company: mail.content.company), date: mail.createdAt)
        let contentEnd = item.leaseEnd.instant - TimeAmount(transport.settings.timeout)
        let sent = await transport.send(message, contentEnd: contentEnd)
        if let failure = sent.failure { TraceSpan.current?.fail(failure) }
        return outcome(of: sent, mail)
    }

    /// The outcome of a try. A fault of the server pauses all mails.
    func outcome(of sent: SMTPOutcome, _ mail: StoredMail) -> QueueOutcome {
        switch sent {
        case .sent:
            gate.open()
            return .done
        case .refused(let reason):
            gate.open()
            return .deadLetter(reason: reason)
        case .postponed(let reason):
            gate.open()
            return retry(mail, after: nil, reason)
        case .serverFault(let reason):
            let wait = gate.fault()
            logger.warning("mails can't be sent now", metadata: ["why": "\(reason)", "again in": "\(wait)"])
            return retry(mail, after: wait, reason)
        case .misconfigured(let reason):
            let wait = gate.fault()
            logger.error(
                "mails can't be sent with these settings; check SMTP_URL, SMTP_CA and MAIL_FROM",
                metadata: ["why": "\(reason)", "again in": "\(wait)"])
            // Nothing about the mail is wrong, so it waits until the settings are mended, however long.
            return .retry(after: wait, reason: reason)
        }
    }

    private func retry(_ mail: StoredMail, after delay: Duration?, _ reason: String) -> QueueOutcome {
        let isOld = WallTime.now - mail.createdAt > Self.lifetime
        return isOld ? .deadLetter(reason: reason) : .retry(after: delay, reason: reason)
    }

    /// In the trace of the event that ordered the mail, however long ago that was.
    func observe(_ item: LeasedItem<StoredMail>, _ attempt: @Sendable () async -> QueueOutcome) async {
        let mail = item.item
        let span = mail.content.trace.flatMap { tracer.begin("deliver mail", kind: .consumer, within: $0) }
        span?.set("messaging.operation.type", "process")
        span?.set("messaging.message.id", .string(mail.eventID))
        span?.set("shippy.mail.attempt", .int64(Int64(mail.attempts)))
        await TraceSpan.within(span) { log(await attempt(), mail) }
        span?.end()
    }

    private func log(_ outcome: QueueOutcome, _ mail: StoredMail) {
        var about: Logger.Metadata = ["event": "\(mail.eventID)", "try": "\(mail.attempts)"]
        switch outcome {
        case .done, .stored: logger.info("a mail was sent", metadata: about)
        case .retry(let delay, let reason):
            about["why"] = "\(reason)"
            about["in"] = "\(delay ?? .zero)"
            logger.info("a mail is tried again later", metadata: about)
        case .deadLetter(let reason):
            about["why"] = "\(reason)"
            logger.warning("a mail was given up", metadata: about)
        }
    }

    func abandon() { transport.abandon() }
}

/// A worker, and the transport as long as that runs.
struct DeliveryService: Service {
    let transport: MailTransport
    let worker: QueueWorker<StoredMail>

    func run() async throws {
        try transport.start()
        try await worker.run()
        await transport.shutdown()
    }
}

/// What a process did with mails since it started, and what waits in the store.
enum DeliveryMetrics {
    static func register(_ counts: QueueCounts, _ gate: QueueGate, in registry: MetricsRegistry) {
        registry.counter("email_sent_total", "Mails that the server took.") { Double(counts.values.done) }
        registry.counter("email_failed_total", "Mails that were given up.") { Double(counts.values.deadLettered) }
        registry.counter("email_retries_total", "Tries that came to nothing and will be repeated.") {
            Double(counts.values.retried)
        }
        registry.gauge("email_delivery_blocked", "1 while the mail server or its settings keep all mails from going.") {
            gate.isHeld ? 1 : 0
        }
    }

    static func register(_ pending: PendingWatch, in registry: MetricsRegistry) {
        let countMax = LeasedQueueStatistics.countMax
        registry.gauge("email_pending", "Mails that are stored and not sent, up to \(countMax).") {
            Double(pending.latest?.pending ?? 0)
        }
        registry.gauge("email_oldest_pending_seconds", "Age of the oldest mail that is not sent; 0 without one.") {
            pending.latest?.oldestPendingSeconds ?? 0
        }
    }
}
