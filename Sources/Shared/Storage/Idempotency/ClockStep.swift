import NIOCore
import Synchronization

/// What becomes of work that is due at a time of day when the clock is set back: it must not wait for the clock to come to that
/// time again.
///
/// Beside the time that a piece of work is due stands the time at which that was decided. Work that was decided about in the
/// future is due, from now, as long after as it was then: a lease keeps its length, and so does the pause before a retry.
package enum ClockStep {
    /// Clocks of replicas may differ by less than this, which is no step.
    package static let secondsMin: Int64 = 60
    /// How often to look for such work.
    package static let interval: Duration = .seconds(5)
}

/// Lets one through every so often, by the monotonic clock, and the first at once.
package final class Pace: Sendable {
    private let interval: UInt64
    private let next = Atomic<UInt64>(0)

    package init(every interval: Duration) {
        self.interval = UInt64(TimeAmount(interval).nanoseconds)
    }

    package func isDue() -> Bool {
        let now = NIODeadline.now().uptimeNanoseconds
        let due = next.load(ordering: .relaxed)
        return now >= due && next.compareExchange(expected: due, desired: now + interval, ordering: .relaxed).exchanged
    }
}
