import LeasedQueue
import Logging
import RPC
import Runtime
import Synchronization

/// Delivers stored events to the mail service; each replica's worker has one.
///
/// At least once: an event counts as delivered when the mail service answered and the store recorded it. After a crash in
/// between it is delivered again, and the mail service knows it by its id. Nothing here keeps the user service from
/// being ready: with the mail service down, people sign up and their events wait.
final class Relay: QueueHandler {
    /// For one delivery. A batch that hangs all through takes four of these, 20 s.
    static let deliveryTimeout: Duration = .seconds(5)

    /// An outage must not use an event's tries up: with the longest wait between them, they last for more than three days.
    static let policy: QueuePolicy = {
        var policy = QueuePolicy()
        policy.concurrencyMax = 16
        policy.claimedAhead = 48
        policy.finishesTogether = true
        policy.lease = .seconds(30)
        // Events that failed together spread.
        policy.backoff = Backoff(first: .seconds(1), factor: 2, longest: .seconds(300), jitter: 0.5, lengthens: false)
        // At 5 minutes three and a half days.
        policy.triesMax = 1_000
        return policy
    }()

    private let delivery: EventDelivery
    private let timeout: Duration
    private let logger: Logger
    private let isFailing = Atomic(false)
    private let failures = Atomic(0)

    init(_ delivery: EventDelivery, timeout: Duration = deliveryTimeout, logger: Logger) {
        self.delivery = delivery
        self.timeout = timeout
        self.logger = logger
    }

    func handle(_ item: LeasedItem<UserCreatedEvent>) async -> QueueOutcome {
        let failures = failures.load(ordering: .relaxed)
        do throws(Status) {
            try await delivery.deliver(item.item, deadline: .after(timeout))
            logDelivered(after: failures)
            return .done
        } catch {
            logFailure(error)
            return Self.outcome(of: error)
        }
    }

    func observe(_ item: LeasedItem<UserCreatedEvent>, _ attempt: @Sendable () async -> QueueOutcome) async {
        guard case .deadLetter(let reason) = await attempt() else { return }
        logger.error(
            "an event was dead-lettered and waits to be requeued",
            metadata: ["event": "\(item.item.id)", "why": "\(reason)"])
    }

    /// An event that the mail service rejects as invalid is dead-lettered at once.
    static func outcome(of status: Status) -> QueueOutcome {
        switch status.code {
        case .invalidArgument, .outOfRange: .deadLetter(reason: "\(status)")
        default: .retry(after: nil, reason: "\(status)")
        }
    }

    // MARK: Log: when deliveries begin to fail and when they go through again, and not every try in between

    private func logFailure(_ status: Status) {
        failures.add(1, ordering: .relaxed)
        guard !isFailing.exchange(true, ordering: .relaxed) else { return }
        logger.warning("events can't be delivered; they are kept and tried again", metadata: ["why": "\(status)"])
    }

    /// - Parameter failures: so many there were when the delivery began; one that failed since then says more.
    private func logDelivered(after failures: Int) {
        guard self.failures.load(ordering: .relaxed) == failures,
            isFailing.exchange(false, ordering: .relaxed)
        else { return }
        logger.info("events are delivered again")
    }
}

/// Metrics of the outbox and its relay.
enum OutboxMetrics {
    static func register(_ counts: QueueCounts, _ pending: PendingWatch, in registry: MetricsRegistry) {
        registry.counter("outbox_delivered_total", "Events handed to the mail service.") {
            Double(counts.values.done)
        }
        registry.counter("outbox_retried_total", "Deliveries that failed and will be tried again.") {
            Double(counts.values.retried)
        }
        registry.counter("outbox_buried_total", "Events that this process dead-lettered.") {
            Double(counts.values.deadLettered)
        }
        registry.gauge("outbox_pending", "Events that wait to be delivered, over all replicas.") {
            pending.latest.map { Double($0.pending) } ?? .nan
        }
        registry.gauge("outbox_oldest_pending_seconds", "Age of the oldest event that waits.") {
            pending.latest?.oldestPendingSeconds ?? .nan
        }
        registry.gauge("outbox_dead", "Dead-lettered events, which wait to be requeued.") {
            pending.latest.map { Double($0.deadLetters) } ?? .nan
        }
    }
}
