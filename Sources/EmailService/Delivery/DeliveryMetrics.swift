import LeasedQueue
import Runtime

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
