import Logging
import RPC
import Runtime
import ServiceLifecycle
import Synchronization

/// What a process did with mails since it started.
final class DeliveryMetrics: Sendable {
    private let sentCount = Atomic<Int>(0)
    private let failedCount = Atomic<Int>(0)
    private let retryCount = Atomic<Int>(0)
    private let blocked = Atomic(false)

    func sent() { sentCount.add(1, ordering: .relaxed) }
    func failed() { failedCount.add(1, ordering: .relaxed) }
    func retried() { retryCount.add(1, ordering: .relaxed) }
    /// Whether server or settings stand in the way of all mails.
    func setBlocked(_ isBlocked: Bool) { blocked.store(isBlocked, ordering: .relaxed) }

    func register(in registry: MetricsRegistry) {
        registry.counter("email_sent_total", "Mails that the server took.") {
            Double(self.sentCount.load(ordering: .relaxed))
        }
        registry.counter("email_failed_total", "Mails that were given up.") {
            Double(self.failedCount.load(ordering: .relaxed))
        }
        registry.counter("email_retries_total", "Tries that came to nothing and will be repeated.") {
            Double(self.retryCount.load(ordering: .relaxed))
        }
        registry.gauge("email_delivery_blocked", "1 while the mail server or its settings keep all mails from going.") {
            self.blocked.load(ordering: .relaxed) ? 1 : 0
        }
    }
}

/// Looks now and then how many mails wait, in the store, which knows of other replicas' too.
final class PendingWatch: Service {
    private static let interval: Duration = .seconds(5)
    private static let timeout: Duration = .seconds(5)

    private let repository: any EmailRepository
    private let logger: Logger
    private let latest = Mutex(MailStatistics(pending: 0, oldestPendingSeconds: 0))

    init(repository: any EmailRepository, logger: Logger) {
        self.repository = repository
        self.logger = logger
    }

    func register(in registry: MetricsRegistry) {
        registry.gauge("email_pending", "Mails that are stored and not sent, up to \(MailStatistics.countMax).") {
            Double(self.latest.withLock { $0.pending })
        }
        registry.gauge("email_oldest_pending_seconds", "Age of the oldest mail that is not sent; 0 without one.") {
            self.latest.withLock { $0.oldestPendingSeconds }
        }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    let statistics = try await self.repository.statistics(deadline: .after(Self.timeout))
                    self.latest.withLock { $0 = statistics }
                } catch {
                    self.logger.debug("could not count the mails that wait", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }
}
