import Idempotency
import RPC

/// A moment of the wall clock, written as RFC 3339 in UTC with milliseconds: `2026-01-31T09:05:00.042Z`.
struct Timestamp: Equatable {
    /// Since 1970-01-01T00:00:00Z, leap seconds left out. Not negative.
    let milliseconds: Int64

    static func now() -> Timestamp {
        Timestamp(milliseconds: WallClock.microseconds / 1_000)
    }

    /// The same in nanoseconds.
    var nanoseconds: UInt64 { UInt64(max(0, milliseconds)) * 1_000_000 }

    /// Appends the text, without allocating and without Foundation: every log line has one.
    func append(to bytes: inout [UInt8]) {
        bytes.append(CalendarDate(daysSince1970: milliseconds / 86_400_000))
        bytes.append(UInt8(ascii: "T"))
        appendTimeOfDay(to: &bytes)
        bytes.append(UInt8(ascii: "Z"))
    }

    /// Appends only the time of day, `09:05:00.042`, as people at a terminal read it.
    func appendTimeOfDay(to bytes: inout [UInt8]) {
        let time = milliseconds % 86_400_000
        bytes.append(time / 3_600_000, digits: 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(time / 60_000 % 60, digits: 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(time / 1_000 % 60, digits: 2)
        bytes.append(UInt8(ascii: "."))
        bytes.append(time % 1_000, digits: 3)
    }
}
