import NIOCore
import Synchronization

/// Lets a log line out once in a while, however often there is reason for it. Usable from any thread.
package final class LogGap: Sendable {
    private let gapNanoseconds: UInt64
    private let last = Atomic<UInt64>(0)

    package init(_ gap: Duration = .seconds(60)) {
        gapNanoseconds = UInt64(clamping: TimeAmount(gap).nanoseconds)
    }

    /// Whether the line is due.
    package func admits(_ now: NIODeadline = .now()) -> Bool {
        let before = last.load(ordering: .relaxed)
        guard before == 0 || now.uptimeNanoseconds >= before + gapNanoseconds else { return false }
        return last.compareExchange(expected: before, desired: now.uptimeNanoseconds, ordering: .relaxed).exchanged
    }
}
