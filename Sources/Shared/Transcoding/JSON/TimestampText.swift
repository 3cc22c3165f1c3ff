import RPC

/// google.protobuf.Timestamp as the JSON mapping has it: RFC 3339, in the years 1 to 9999.
enum TimestampText {
    struct Time: Equatable {
        /// Since 1970.
        var seconds: Int64
        /// 0 to 999,999,999.
        var nanos: Int32
    }

    /// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
    private static let secondsRange: ClosedRange<Int64> = -62_135_596_800...253_402_300_799
    private static let secondsPerDay: Int64 = 86_400
    /// The largest offset from UTC, in hours (RFC 3339 section 5.6, `time-numoffset`).
    private static let offsetHoursMax: Int64 = 23

    /// - Returns: `nil` for a text that is no time.
    static func parse(_ text: UnsafeRawBufferPointer) -> Time? {
        // 2026-01-31T09:05:00Z
        guard text.count >= 20, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            text[10] == UInt8(ascii: "T"), text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
            let century = twoDigits(text, 0), let yearOfCentury = twoDigits(text, 2), let month = twoDigits(text, 5),
            let day = twoDigits(text, 8), let hour = twoDigits(text, 11), let minute = twoDigits(text, 14),
            let second = twoDigits(text, 17)
        else { return nil }
        let year = century * 100 + yearOfCentury
        guard year >= 1, (1...12).contains(month), day >= 1, day <= days(in: month, of: year), hour < 24, minute < 60,
            second < 60
        else { return nil }
        let date = CalendarDate(year: year, month: month, day: day)
        var seconds = date.daysSince1970 * secondsPerDay + hour * 3_600 + minute * 60 + second
        var at = 19
        guard let nanos = fraction(text, &at), let offset = offset(text, &at), at == text.count else { return nil }
        seconds -= offset
        return secondsRange.contains(seconds) ? Time(seconds: seconds, nanos: nanos) : nil
    }

    /// One to nine digits behind a point, or nothing.
    private static func fraction(_ text: UnsafeRawBufferPointer, _ at: inout Int) -> Int32? {
        guard text[at] == UInt8(ascii: ".") else { return 0 }
        at += 1
        let start = at
        var nanos: Int32 = 0
        var digitValue: Int32 = 100_000_000
        while at < text.count, let digit = digit(text[at]) {
            // A tenth digit.
            guard digitValue > 0 else { return nil }
            nanos += digitValue * Int32(digit)
            digitValue /= 10
            at += 1
        }
        return at > start ? nanos : nil
    }

    /// `Z`, or hours and minutes, in seconds.
    private static func offset(_ text: UnsafeRawBufferPointer, _ at: inout Int) -> Int64? {
        guard at < text.count else { return nil }
        let sign = text[at]
        if sign == UInt8(ascii: "Z") {
            at += 1
            return 0
        }
        guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"), at + 6 <= text.count,
            let hours = twoDigits(text, at + 1), text[at + 3] == UInt8(ascii: ":"),
            let minutes = twoDigits(text, at + 4), hours <= offsetHoursMax, minutes < 60
        else { return nil }
        at += 6
        let seconds = hours * 3_600 + minutes * 60
        return sign == UInt8(ascii: "+") ? seconds : -seconds
    }

    private static func twoDigits(_ text: UnsafeRawBufferPointer, _ at: Int) -> Int64? {
        guard let tens = digit(text[at]), let ones = digit(text[at + 1]) else { return nil }
        return Int64(tens * 10 + ones)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        let digit = byte &- UInt8(ascii: "0")
        return digit < 10 ? digit : nil
    }

    private static func days(in month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Writes a time with its quotes.
    ///
    /// - Throws: ``MalformedMessage`` for one that JSON can't express.
    static func write(_ time: Time, to out: inout [UInt8]) throws(MalformedMessage) {
        guard secondsRange.contains(time.seconds), (0..<1_000_000_000).contains(time.nanos) else {
            throw MalformedMessage()
        }
        var secondOfDay = time.seconds % secondsPerDay
        if secondOfDay < 0 { secondOfDay += secondsPerDay }
        out.append(UInt8(ascii: "\""))
        out.append(CalendarDate(daysSince1970: (time.seconds - secondOfDay) / secondsPerDay))
        out.append(UInt8(ascii: "T"))
        out.append(secondOfDay / 3_600, digits: 2)
        out.append(UInt8(ascii: ":"))
        out.append(secondOfDay / 60 % 60, digits: 2)
        out.append(UInt8(ascii: ":"))
        out.append(secondOfDay % 60, digits: 2)
        // Three, six or nine digits, as few as are needed.
        if time.nanos != 0 {
            out.append(UInt8(ascii: "."))
            if time.nanos % 1_000_000 == 0 {
                out.append(Int64(time.nanos / 1_000_000), digits: 3)
            } else if time.nanos % 1_000 == 0 {
                out.append(Int64(time.nanos / 1_000), digits: 6)
            } else {
                out.append(Int64(time.nanos), digits: 9)
            }
        }
        out.append(literal: "Z\"")
    }
}
