import NIOCore

/// How fast a peer has to take what waits for it.
package struct ProgressRate: Sendable {
    /// Within this time ...
    package var window: TimeAmount
    /// ... it takes so many bytes at least, or all there are.
    package var bytesMin: Int

    package init(window: TimeAmount, bytesMin: Int) {
        self.window = window
        self.bytesMin = bytesMin
    }

    /// While the budget for answers is nearly used up: about 13 KiB a second.
    private static let pressed = ProgressRate(window: .seconds(5), bytesMin: 64 * 1024)
    /// While more is held than the budget allows, since answers that nobody could foresee are not taken.
    private static let overdrawn = ProgressRate(window: .seconds(1), bytesMin: 64 * 1024)

    /// This rate, or a faster one while memory is short.
    package func adapted(to memory: MemoryBudget) -> ProgressRate {
        guard memory.isPressed(.responses) else { return self }
        let rate = memory.isOverdrawn(.responses) ? Self.overdrawn : Self.pressed
        return rate.window < window ? rate : self
    }
}

/// Tells whether a peer takes what waits for it at a least rate; a byte now and then is no progress. Asked every so often.
package struct ProgressWatch {
    private var since: NIODeadline?
    private var takenBefore = 0

    package init() {}

    /// - Parameters:
    ///   - bytesLeft: what waits.
    ///   - taken: what the peer has taken since the beginning, in bytes.
    package mutating func isLate(bytesLeft: Int, taken: Int, now: NIODeadline, rate: ProgressRate) -> Bool {
        guard bytesLeft > 0 else {
            since = nil
            return false
        }
        guard let since, taken - takenBefore < rate.bytesMin else {
            self.since = now
            takenBefore = taken
            return false
        }
        return now - since >= rate.window
    }

    /// Begins anew: what happened so far was not the peer's doing.
    package mutating func excuse(taken: Int, now: NIODeadline) {
        since = now
        takenBefore = taken
    }
}

/// How much a connection moved lately: excuses a stream that waits for its turn among others.
package struct Throughput {
    private var since: NIODeadline?
    private var writtenBefore = 0
    private var movedBefore = 0

    package init() {}

    /// Bytes within the last window, or within this one so far if that is more.
    ///
    /// - Parameter written: since the beginning, in bytes.
    package mutating func moved(written: Int, now: NIODeadline, window: TimeAmount) -> Int {
        let moved = written - writtenBefore
        if since == nil || now - (since ?? now) >= window {
            since = now
            writtenBefore = written
            movedBefore = moved
        }
        return max(moved, movedBefore)
    }
}
