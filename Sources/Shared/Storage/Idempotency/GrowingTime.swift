import Synchronization

/// Times that only grow, whatever the clock does: each is later than the one before, and than the newest that is stored.
///
/// A clock that was set back, while the process runs or before it began, would else put what is new before what is old.
/// Whoever stores what these times are given to says what the newest is, as long as ``needsNewest`` asks for it.
package final class GrowingTime: Sendable {
    /// From here on times are a mistake of somebody's (the year 10000, in microseconds), and are not built upon.
    package static let end: Int64 = 253_402_300_800_000_000
    /// So far ahead of the clock a process gets by itself when it makes many at once.
    private static let aheadMax: Int64 = 1_000

    private let now: @Sendable () -> Int64
    private let last = Atomic<Int64>(0)
    private let knowsNewest = Atomic(false)

    /// - Parameter now: microseconds since 1970 in UTC.
    package init(now: @escaping @Sendable () -> Int64 = { WallClock.microseconds }) {
        self.now = now
    }

    /// Whether the newest time that is stored has to be looked up first: nothing is known of it yet, or the clock is behind,
    /// so that other processes may go on from it too.
    package var needsNewest: Bool {
        !knowsNewest.load(ordering: .relaxed) || last.load(ordering: .relaxed) > now() + Self.aheadMax
    }

    /// - Parameter newest: the newest time that is stored; `nil` where none is.
    package func note(newest: Int64?) {
        if let newest, newest < Self.end { last.max(newest, ordering: .relaxed) }
        knowsNewest.store(true, ordering: .relaxed)
    }

    /// Microseconds since 1970 in UTC, by the clock or a little after the last.
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
