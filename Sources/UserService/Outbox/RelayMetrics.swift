import Runtime
import Storage
import Synchronization

/// What the relay did and what waits for it, as numbers.
final class RelayMetrics: Sendable {
    private let delivered = Atomic(0)
    private let retried = Atomic(0)
    private let buried = Atomic(0)
    private let waiting = Monitor<OutboxStatistics?>(nil)

    func noteDelivered(_ count: Int) { delivered.add(count, ordering: .relaxed) }
    func noteRetried() { retried.add(1, ordering: .relaxed) }
    func noteBuried() { buried.add(1, ordering: .relaxed) }

    /// What the store counted last; not a number in the gauges until it has.
    func note(_ statistics: OutboxStatistics) { waiting.withLock { $0 = statistics } }

    var counts: (delivered: Int, retried: Int, buried: Int) {
        (
            delivered.load(ordering: .relaxed), retried.load(ordering: .relaxed), buried.load(ordering: .relaxed)
        )
    }

    func register(in registry: MetricsRegistry) {
        registry.counter("outbox_delivered_total", "Events handed to the mail service.") {
            Double(self.counts.delivered)
        }
        registry.counter("outbox_retried_total", "Deliveries that failed and will be tried again.") {
            Double(self.counts.retried)
        }
        registry.counter("outbox_buried_total", "Events that this process set aside.") { Double(self.counts.buried) }
        registry.gauge("outbox_pending", "Events that wait to be delivered, over all replicas.") {
            self.gauge { Double($0.pending) }
        }
        registry.gauge("outbox_oldest_pending_seconds", "Age of the oldest event that waits.") {
            self.gauge(\.oldestPendingSeconds)
        }
        registry.gauge("outbox_dead", "Events that were set aside and wait to be requeued.") {
            self.gauge { Double($0.dead) }
        }
    }

    private func gauge(_ read: (OutboxStatistics) -> Double) -> Double {
        waiting.withLock { $0.map(read) ?? .nan }
    }
}
