import Glibc

/// A moment of the wall clock, written as RFC 3339 in UTC with milliseconds: `2026-01-31T09:05:00.042Z`.
struct Timestamp: Equatable {
    /// Since 1970-01-01T00:00:00Z, leap seconds left out. Not negative.
    let milliseconds: Int64

    static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// The same in nanoseconds.
    var nanoseconds: UInt64 { UInt64(max(0, milliseconds)) * 1_000_000 }

    /// Appends the text, without allocating and without Foundation: every log line has one.
    func append(to bytes: inout [UInt8]) {
        let day = milliseconds / 86_400_000
        let time = milliseconds % 86_400_000
        let date = Self.date(daysSince1970: day)
        Self.append(date.year, digits: 4, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        Self.append(date.month, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        Self.append(date.day, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "T"))
        appendTime(time, to: &bytes)
        bytes.append(UInt8(ascii: "Z"))
    }

    /// Appends only the time of day, `09:05:00.042`, as people at a terminal read it.
    func appendTimeOfDay(to bytes: inout [UInt8]) {
        appendTime(milliseconds % 86_400_000, to: &bytes)
    }

    private func appendTime(_ time: Int64, to bytes: inout [UInt8]) {
        Self.append(time / 3_600_000, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        Self.append(time / 60_000 % 60, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        Self.append(time / 1_000 % 60, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "."))
        Self.append(time % 1_000, digits: 3, to: &bytes)
    }

    /// The Gregorian date. Years are counted from March, so that the leap day is a year's last and needs no special
    /// case; 400 years are always 146,097 days.
    private static func date(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let daysFromEpoch0 = daysSince1970 + 719_468  // 0000-03-01
        let cycle = daysFromEpoch0 / 146_097
        let dayOfCycle = daysFromEpoch0 % 146_097
        let yearOfCycle = (dayOfCycle - dayOfCycle / 1_460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = cycle * 400 + yearOfCycle + (month <= 2 ? 1 : 0)
        return (year, month, day)
    }

    private static func append(_ number: Int64, digits: Int, to bytes: inout [UInt8]) {
        var scale: Int64 = 1
        for _ in 1..<digits { scale *= 10 }
        while scale > 0 {
            bytes.append(UInt8(truncatingIfNeeded: 0x30 + number / scale % 10))
            scale /= 10
        }
    }
}
