import Logging
import NIOCore
import RPC
import ServiceLifecycle
import Synchronization
import Traces

/// Sends the mails that are due, whoever stored them: this process, another, or one that is gone.
///
/// A mail is claimed for a lease, sent, and marked. That two workers never send one mail rests on the lease being longer
/// than any try: it is three of the transport's timeouts, a mail is handed over only within the first two, and
/// the server must answer within the third. Clocks of replicas may differ by as much as that leaves.
///
/// One window stays open: whoever dies between the server's yes and the mark leaves a mail that is sent again when its
/// lease ends. Message-ID is the same then, so that a server or a reader can drop the twin.
final class DeliveryWorker: Service {
    /// How often the store is asked without a ring: for mails of other replicas, and for those that become due again.
    private static let pollInterval: Duration = .milliseconds(500)
    private static let storeTimeout: Duration = .seconds(5)
    static let leaseTimeouts = 3

    private let repository: any EmailRepository
    private let transport: MailTransport
    private let sender: Mailbox
    private let patience: Duration
    private let metrics: DeliveryMetrics
    private let tracer: SpanTracer
    private let logger: Logger
    private let state = Mutex(DeliveryState(concurrencyMax: MailTransport.threadCount))
    let bell: Bell

    /// - Parameters:
    ///   - patience: how long sends in flight may go on when the program stops.
    ///   - tracer: shows deliveries in the traces of the events that ordered the mails.
    init(
        repository: any EmailRepository, transport: MailTransport, sender: Mailbox, patience: Duration,
        metrics: DeliveryMetrics, bell: Bell, tracer: SpanTracer, logger: Logger
    ) {
        self.repository = repository
        self.transport = transport
        self.sender = sender
        self.patience = patience
        self.metrics = metrics
        self.bell = bell
        self.tracer = tracer
        self.logger = logger
    }

    private var lease: Duration { transport.settings.timeout * Self.leaseTimeouts }

    func run() async throws {
        try transport.start()
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.poll() }
                for await _ in bell.rings { await dispatch(in: &group) }
                limitStop()
            }
        } onGracefulShutdown: {
            self.bell.finish()
        }
        await transport.shutdown()
    }

    private func poll() async {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                self.bell.ring()
                try? await Task.sleep(for: Self.pollInterval)
            }
        }
    }

    /// Whoever stops waits for the mails in flight, but not for ever.
    private func limitStop() {
        let patience: Duration = Task.isCancelled ? .zero : patience
        Task { [weak transport] in
            try? await Task.sleep(for: patience)
            transport?.abandon()
        }
    }

    /// Claims mails and starts their deliveries until none is due or enough are in flight.
    private func dispatch(in group: inout DiscardingTaskGroup) async {
        while !Task.isShuttingDownGracefully, !Task.isCancelled, state.withLock({ $0.begin(now: .now()) }) {
            // Begins before the store counts, so that it ends before.
            let leaseBegin = NIODeadline.now()
            guard let claimed = await claim() else {
                state.withLock { $0.end() }
                return
            }
            let contentEnd = leaseBegin + TimeAmount(lease - transport.settings.timeout)
            group.addTask {
                // Its own task: cancelling must not part a mail that was sent from its mark.
                await Task { await self.deliverTraced(claimed, contentEnd: contentEnd) }.value
                self.state.withLock { $0.end() }
                self.bell.ring()
            }
        }
    }

    private func claim() async -> ClaimedMail? {
        do {
            return try await repository.claim(lease: lease, deadline: .after(Self.storeTimeout))
        } catch {
            logger.debug("no mail could be claimed", metadata: ["error": "\(error)"])
            return nil
        }
    }
}

extension DeliveryWorker {
    /// In the trace of the event that ordered the mail, however long ago that was.
    private func deliverTraced(_ claimed: ClaimedMail, contentEnd: NIODeadline) async {
        let span = claimed.mail.content.trace.flatMap { tracer.begin("deliver mail", kind: .consumer, within: $0) }
        span?.set("messaging.operation.type", "process")
        span?.set("messaging.message.id", .string(claimed.mail.eventID))
        span?.set("shippy.mail.attempt", .int64(Int64(claimed.mail.attempts)))
        let failure = await TraceSpan.within(span) { await deliver(claimed, contentEnd: contentEnd) }
        if let failure { span?.end(failedWith: failure) } else { span?.end() }
    }

    /// - Returns: in a word why the mail was not sent; `nil` when it was.
    private func deliver(_ claimed: ClaimedMail, contentEnd: NIODeadline) async -> String? {
        let mail = claimed.mail
        guard let recipient = MailAddress(mail.content.recipient) else {
            await fail(claimed, "the stored address is not an address")
            return "no address"
        }
        let message = MailMessage(
            eventID: mail.eventID, from: sender, to: Mailbox(name: "", address: recipient),
            subject: mail.content.subject,
            content: WelcomeMail(name: mail.content.name, company: mail.content.company), date: mail.createdAt)
        let outcome = await transport.send(message, contentEnd: contentEnd)
        switch outcome {
        case .sent:
            await record("sent", claimed) {
                try await self.repository.markSent(eventID: mail.eventID, deadline: .after(Self.storeTimeout))
                return true
            }
            noteAnswer()
            metrics.sent()
            logger.info("a mail was sent", metadata: about(claimed))
        case .refused(let reason):
            noteAnswer()
            await fail(claimed, reason)
        case .postponed(let reason):
            noteAnswer()
            let wait = RetryRules.postponed.wait(after: mail.attempts, random: .random(in: 0..<1))
            await retry(claimed, after: wait, reason, isMortal: true)
        case .serverFault(let reason):
            await retry(claimed, after: noteFault(reason, isOurs: false), reason, isMortal: true)
        case .misconfigured(let reason):
            // Nothing about the mail is wrong, so it waits for whoever mends the settings.
            await retry(claimed, after: noteFault(reason, isOurs: true), reason, isMortal: false)
        }
        return outcome.failure
    }

    /// - Parameter isMortal: whether the mail is given up after its lifetime.
    private func retry(_ claimed: ClaimedMail, after delay: Duration, _ reason: String, isMortal: Bool) async {
        if isMortal, WallTime.now - claimed.mail.createdAt > RetryRules.lifetime {
            await fail(claimed, reason)
            return
        }
        await record("to be tried again", claimed) {
            try await self.repository.retry(
                claimed.claim, after: delay, error: reason, deadline: .after(Self.storeTimeout))
        }
        metrics.retried()
        logger.info(
            "a mail is tried again later", metadata: about(claimed, ["why": "\(reason)", "in": "\(delay)"]))
    }

    private func fail(_ claimed: ClaimedMail, _ reason: String) async {
        await record("failed", claimed) {
            try await self.repository.markFailed(claimed.claim, error: reason, deadline: .after(Self.storeTimeout))
        }
        metrics.failed()
        logger.warning("a mail was given up", metadata: about(claimed, ["why": "\(reason)"]))
    }

    /// Stores what became of a mail, and keeps at it while the store is away: until then the mail may go out twice.
    ///
    /// - Parameter body: answers whether the mail was still ours.
    private func record(_ what: String, _ claimed: ClaimedMail, _ body: () async throws -> Bool) async {
        var backoff = Backoff()
        backoff.first = .milliseconds(20)
        backoff.longest = .seconds(1)
        var failures = 0
        while true {
            do {
                if try await !body() {
                    logger.warning("a mail's lease was lost to another", metadata: about(claimed, ["as": "\(what)"]))
                }
                return
            } catch {
                failures += 1
                if failures == 1 || transport.isAbandoned {
                    logger.error(
                        "what became of a mail could not be stored",
                        metadata: about(claimed, ["as": "\(what)", "error": "\(error)"]))
                }
                // The program stops: the lease ends by itself, and the mail is tried again.
                if transport.isAbandoned { return }
                try? await Task.sleep(for: backoff.wait(after: failures, random: .random(in: 0..<1)))
            }
        }
    }

    private func noteAnswer() {
        state.withLock { $0.serverAnswered() }
        metrics.setBlocked(false)
    }

    private func noteFault(_ reason: String, isOurs: Bool) -> Duration {
        let wait = state.withLock { $0.faulted(now: .now(), random: .random(in: 0..<1)) }
        metrics.setBlocked(true)
        logger.log(
            level: isOurs ? .error : .warning,
            isOurs
                ? "mails can't be sent with these settings; check SMTP_URL, SMTP_CA and MAIL_FROM"
                : "mails can't be sent now", metadata: ["why": "\(reason)", "again in": "\(wait)"])
        return wait
    }

    private func about(_ claimed: ClaimedMail, _ more: Logger.Metadata = [:]) -> Logger.Metadata {
        ["event": "\(claimed.mail.eventID)", "try": "\(claimed.mail.attempts)"].merging(more) { $1 }
    }
}
