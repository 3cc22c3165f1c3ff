import Synchronization

/// Makes timestamps that only grow, whatever the clock does: each is later than the one before and than the newest
/// stored one.
///
/// A clock that was set back, while the process runs or before it started, would otherwise order new records before old
/// ones. The repository that stores these times reports the newest stored one while ``needsNewest`` is true.
package final class MonotonicTimestamps: Sendable {
    /// Times from here on (the year 10000, in microseconds) are errors and are ignored.
    package static let end: Int64 = 253_402_300_800_000_000
    /// How far ahead of the clock a process gets by itself when it makes many times at once, in microseconds.
    private static let aheadMax: Int64 = 1_000

    private let now: @Sendable () -> Int64
    private let last = Atomic<Int64>(0)
    private let knowsNewest = Atomic(false)

    /// - Parameter now: microseconds since 1970 in UTC.
    package init(now: @escaping @Sendable () -> Int64 = { WallClock.microseconds }) {
        self.now = now
    }

    /// Whether the newest stored time must be looked up first: it is not known yet, or the clock is behind, so that
    /// other processes may continue from it too.
    package var needsNewest: Bool {
        !knowsNewest.load(ordering: .relaxed) || last.load(ordering: .relaxed) > now() + Self.aheadMax
    }

    /// Continues from the newest stored time.
    ///
    /// - Parameter newest: the newest stored time; `nil` when there is none.
    package func record(newest: Int64?) {
        if let newest, newest < Self.end { last.max(newest, ordering: .relaxed) }
        knowsNewest.store(true, ordering: .relaxed)
    }

    /// The next time, in microseconds since 1970 in UTC: the clock's, or a little after the last one.
    package func next() -> Int64 {
        let now = max(0, now())
        var previous = last.load(ordering: .relaxed)
        while true {
            let mine = max(now, previous + 1)
            let (isMine, current) = last.compareExchange(expected: previous, desired: mine, ordering: .relaxed)
            if isMine { return mine }
            previous = current
        }
    }
}
