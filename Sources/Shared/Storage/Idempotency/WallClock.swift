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
