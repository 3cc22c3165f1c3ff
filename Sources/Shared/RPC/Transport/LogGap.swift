import NIOCore
import Synchronization

/// Rate limit of a log line: lets it out once per gap. Usable from any thread.
package final class LogGap: Sendable {
    private let gapNanoseconds: UInt64
    private let last = Atomic<UInt64>(0)

    package init(_ gap: Duration = .seconds(60)) {
        gapNanoseconds = UInt64(clamping: TimeAmount(gap).nanoseconds)
    }

    /// Whether the line may be logged now.
    package func admits(_ now: NIODeadline = .now()) -> Bool {
        let before = last.load(ordering: .relaxed)
        guard before == 0 || now.uptimeNanoseconds >= before + gapNanoseconds else { return false }
        return last.compareExchange(expected: before, desired: now.uptimeNanoseconds, ordering: .relaxed).exchanged
    }
}
