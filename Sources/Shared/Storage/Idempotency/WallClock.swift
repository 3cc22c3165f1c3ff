import Glibc

/// The time of day, for what is kept beyond the process's life.
package enum WallClock {
    /// Seconds since 1970 in UTC.
    package static var seconds: Int64 { Int64(time(nil)) }

    /// Microseconds since 1970 in UTC.
    package static var microseconds: Int64 {
        var now = timespec()
        // Fails only for a clock that the system does not have, and this one all have.
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1_000
    }
}

extension Duration {
    /// In microseconds, from 0 to about a century, so that a time from now never overflows.
    package var microseconds: Int64 {
        let limit = 3_000_000_000.0
        let seconds = Double(components.seconds) + Double(components.attoseconds) / 1e18
        return Int64(min(max(0, seconds), limit) * 1e6)
    }
}

/// Handling of a clock that is set back: work that is due at a time of day must not wait until the clock reaches that
/// time again.
///
/// The time at which work is due is stored with the time at which that was decided. When the decision lies in the
/// future, the work becomes due as long after now as it was after the decision: a lease keeps its length, and so does
/// the pause before a retry.
package enum ClockStep {
    /// Smallest difference that is a step: clocks of replicas may differ by less.
    package static let secondsMin: Int64 = 60
    /// Interval at which to look for such work.
    package static let interval: Duration = .seconds(5)
}
