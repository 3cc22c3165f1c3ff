#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The time of day, for what is kept beyond the process's life.
package enum WallClock {
    /// Seconds since 1970 in UTC.
    package static var seconds: Int64 { Int64(time(nil)) }
}
