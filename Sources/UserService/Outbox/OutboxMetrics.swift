import LeasedQueue
import Runtime

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
