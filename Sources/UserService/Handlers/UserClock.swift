#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The time of day, for what is stored and for tokens; tests bring their own.
struct UserClock: Sendable {
    static let microsecondsPerSecond: Int64 = 1_000_000

    /// Since 1970 in UTC.
    let microseconds: @Sendable () -> Int64

    @Sendable func seconds() -> Int64 { microseconds() / Self.microsecondsPerSecond }

    static let system = UserClock {
        var time = timespec()
        // It fails for unknown clocks and bad pointers only.
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * microsecondsPerSecond + Int64(time.tv_nsec) / 1_000
    }
}
