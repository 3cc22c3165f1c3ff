import Glibc

/// The `date` header's text, made once a second (RFC 9110 section 5.6.7, IMF-fixdate).
struct HTTPDate {
    private var second: Int = .min
    private var text = ""

    /// The text for the system's clock now.
    mutating func now() -> String {
        let now = time(nil)
        if now != second {
            second = now
            text = Self.format(secondsSince1970: now)
        }
        return text
    }

    /// Such as `Sun, 06 Nov 1994 08:49:37 GMT`. Written here because `strftime` would use the process's language.
    static func format(secondsSince1970 seconds: Int) -> String {
        var moment = time_t(seconds)
        var parts = tm()
        // Fails only for years that do not fit an Int32; then the zeroes of 1900 stand.
        gmtime_r(&moment, &parts)
        let weekday = weekdays[min(max(Int(parts.tm_wday), 0), 6)]
        let month = months[min(max(Int(parts.tm_mon), 0), 11)]
        let clock = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        return "\(weekday), \(two(parts.tm_mday)) \(month) \(1900 + Int(parts.tm_year)) \(clock) GMT"
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private static func two(_ number: Int32) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }
}
