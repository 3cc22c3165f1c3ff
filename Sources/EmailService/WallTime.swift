import Glibc
import Idempotency

/// A moment of the wall clock, as it is stored and as it stands in mails.
struct WallTime: Sendable, Equatable {
    /// Since 1970 in UTC.
    var milliseconds: Int64

    static var now: WallTime { WallTime(milliseconds: WallClock.microseconds / 1_000) }

    static func - (later: WallTime, earlier: WallTime) -> Duration {
        .milliseconds(later.milliseconds - earlier.milliseconds)
    }

    /// As a mail's `Date` writes it, such as `Sat, 31 Jan 2026 09:05:00 +0000` (RFC 5322, 3.3).
    var mailDate: String {
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        var seconds = time_t(milliseconds / 1_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let day = "\(days[Int(parts.tm_wday)]), \(parts.tm_mday) \(months[Int(parts.tm_mon)]) \(parts.tm_year + 1900)"
        return "\(day) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) +0000"
    }
}
