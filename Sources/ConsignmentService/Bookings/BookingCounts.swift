import LeasedQueue
import Runtime
import Synchronization

/// Metrics of bookings: counts by outcome, and what is left to do.
final class BookingCounts: Sendable {
    enum Outcome: String, CaseIterable {
        case booked
        case fleetFull = "fleet_full"
        case undone
        case cancelled
        /// The caller got an error while the outcome was unknown; a worker completes or undoes the booking.
        case unsettled
    }

    private let counts = Mutex<[Outcome: Int]>([:])

    func record(_ outcome: Outcome) { counts.withLock { $0[outcome, default: 0] += 1 } }

    func count(_ outcome: Outcome) -> Int { counts.withLock { $0[outcome, default: 0] } }

    func register(in registry: MetricsRegistry, worker: QueueCounts, pending: PendingWatch) {
        for outcome in Outcome.allCases {
            registry.counter(
                "bookings_total", "Bookings by outcome, in this process.",
                labels: [("outcome", outcome.rawValue)]
            ) { Double(self.count(outcome)) }
        }
        registry.gauge(
            "bookings_waiting", "Bookings that are begun, or cancelled with room to release, of all replicas."
        ) {
            pending.latest.map { Double($0.pending) } ?? .nan
        }
        registry.gauge("bookings_oldest_waiting_seconds", "Age of the oldest of them.") {
            pending.latest?.oldestPendingSeconds ?? .nan
        }
        registry.counter("bookings_retried_total", "Failed tries of the worker.") {
            Double(worker.values.retried)
        }
    }
}
