import NIOCore

/// Rate at which a peer must read its data.
package struct ProgressRate: Sendable {
    /// Within this time ...
    package var window: TimeAmount
    /// ... it must read at least this many bytes, or all that are left.
    package var bytesMin: Int

    package init(window: TimeAmount, bytesMin: Int) {
        self.window = window
        self.bytesMin = bytesMin
    }

    /// The rate while the budget for answers is under pressure: about 13 KiB/s.
    private static let underPressure = ProgressRate(window: .seconds(5), bytesMin: 64 * 1024)
    /// The rate while more is held than the budget allows, because answers of unforeseen size are not read.
    private static let overLimit = ProgressRate(window: .seconds(1), bytesMin: 64 * 1024)

    /// This rate, or a faster one while memory is short.
    package func adapted(to memory: MemoryBudget) -> ProgressRate {
        guard memory.isUnderPressure(.responses) else { return self }
        let rate = memory.isOverLimit(.responses) ? Self.overLimit : Self.underPressure
        return rate.window < window ? rate : self
    }
}

/// Tells whether a peer reads its data at a minimum rate; a byte now and then is no progress. Checked at intervals.
package struct ProgressWatch {
    private var since: NIODeadline?
    private var takenBefore = 0

    package init() {}

    /// - Parameters:
    /// - bytesLeft: bytes that wait for the peer.
    /// - taken: bytes that the peer has taken since the beginning.
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
}

/// Bytes that a connection moved lately: excuses a stream that waits for its turn among others.
package struct Throughput {
    private var since: NIODeadline?
    private var writtenBefore = 0
    private var movedBefore = 0

    package init() {}

    /// Bytes of the last window, or of the current one so far if that is more.
    ///
    /// - Parameter written: bytes written since the beginning.
    package mutating func moved(written: Int, now: NIODeadline, window: TimeAmount) -> Int {
        let moved = written - writtenBefore
        if since == nil || now - (since ?? now) >= window {
            since = now
            writtenBefore = written
            movedBefore = moved
        }
        return max(moved, movedBefore)
    }

    /// Whether the connection as a whole makes progress. A stream with an open window then waits for its turn, not for the
    /// peer.
    package mutating func isMoving(
        _ streams: [HTTP2Stream], written: Int, now: NIODeadline, rate: ProgressRate
    ) -> Bool {
        let waiting = streams.count { $0.unsentBytes > 0 }
        return moved(written: written, now: now, window: rate.window) >= waiting * rate.bytesMin
    }
}
