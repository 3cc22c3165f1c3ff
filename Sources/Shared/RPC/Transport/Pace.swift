import NIOCore
import Synchronization

/// Rate limit by the monotonic clock: lets one caller through per interval, and the first at once. Usable from any thread.
package final class Pace: Sendable {
    private let nanoseconds: UInt64
    private let next = Atomic<UInt64>(0)

    package init(every interval: Duration) {
        nanoseconds = UInt64(clamping: TimeAmount(interval).nanoseconds)
    }

    /// Whether the interval since the last `true` is over.
    package func isDue() -> Bool {
        let now = NIODeadline.now().uptimeNanoseconds
        let due = next.load(ordering: .relaxed)
        return now >= due
            && next.compareExchange(expected: due, desired: now + nanoseconds, ordering: .relaxed).exchanged
    }
}
