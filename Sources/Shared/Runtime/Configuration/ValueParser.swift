import Logging
import RPC

/// Reads the text of a setting as a value.
public struct ValueParser<Value>: Sendable {
    /// What follows a text that is no such value, for instance "is not a whole number".
    let complaint: String
    /// `nil` for a text that is no such value.
    let parse: @Sendable (String) -> Value?

    /// - Parameters:
    ///   - complaint: what follows a text that is no such value: what is wrong with it, and what would be right.
    ///   - parse: `nil` for a text that is no such value.
    public init(complaint: String, _ parse: @escaping @Sendable (String) -> Value?) {
        self.complaint = complaint
        self.parse = parse
    }

    /// The value that a text stands for.
    ///
    /// - Parameter source: the flag or variable that the text is from.
    /// - Throws: what is wrong with it, in one line.
    public func value(_ text: String, of source: String) throws(ConfigurationError) -> Value {
        guard let value = parse(text) else { throw ConfigurationError("\(source): '\(text)' \(complaint)") }
        return value
    }
}

extension ValueParser where Value == String {
    /// Any text.
    public static var text: ValueParser { ValueParser(complaint: "") { $0 } }

    /// This text alone.
    public static func only(_ known: String, complaint: String) -> ValueParser {
        ValueParser(complaint: complaint) { $0 == known ? $0 : nil }
    }
}

extension ValueParser where Value == HostPort {
    /// An address to listen on, such as `:8080` or `127.0.0.1:0`.
    public static var address: ValueParser {
        ValueParser(complaint: "is not an address; write host:port or :port, such as :8080") { HostPort($0) }
    }
}

extension ValueParser where Value == Duration {
    /// A time above zero: seconds, or a number with its unit (`500ms`, `20s`, `2m`, `1h`), at most a day.
    public static var duration: ValueParser {
        ValueParser(
            complaint: "is not a time above 0 and up to a day; write seconds, such as 20, or 500ms, 20s, 2m"
        ) { text in
            guard let time = Duration(setting: text), time > .zero, time <= .seconds(86_400) else { return nil }
            return time
        }
    }

    /// Milliseconds without a unit, at most a day.
    static var milliseconds: ValueParser {
        let number = ValueParser<Int>.integer(1...86_400_000)
        return ValueParser(complaint: number.complaint) { number.parse($0).map { Duration.milliseconds($0) } }
    }
}

extension ValueParser where Value == Duration? {
    /// A time as ``ValueParser/duration`` reads it, or 0 for none.
    static var durationOrNone: ValueParser {
        let time = ValueParser<Duration>.duration
        return ValueParser(complaint: time.complaint) { text in
            if Duration(setting: text) == .zero { return .some(nil) }
            guard let duration = time.parse(text) else { return nil }
            return .some(duration)
        }
    }
}

extension ValueParser where Value == Int {
    /// A whole number within `range`.
    public static func integer(_ range: ClosedRange<Int>) -> ValueParser {
        ValueParser(complaint: "is not a whole number from \(range.lowerBound) to \(range.upperBound)") { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A number of bytes, such as `268435456`, `256Mi`, `256MiB` or `1Gi`.
    static func bytes(min: Int) -> ValueParser {
        ValueParser(complaint: "is not a number of bytes from \(min >> 20)Mi upwards; write 256Mi or 1Gi") { text in
            Int(bytes: text).flatMap { $0 >= min ? $0 : nil }
        }
    }
}

extension ValueParser where Value == Bool {
    /// True/false, yes/no, on/off or 1/0.
    public static var boolean: ValueParser {
        ValueParser(complaint: "is neither true nor false") { text in
            if ["true", "yes", "on", "1"].contains(text.lowercased()) { return true }
            return ["false", "no", "off", "0"].contains(text.lowercased()) ? false : nil
        }
    }

    /// `on` or `off`.
    static var onOrOff: ValueParser {
        ValueParser(complaint: "is neither on nor off") { ["on": true, "off": false][$0] }
    }
}

extension ValueParser where Value == Logger.Level {
    static var logLevel: ValueParser {
        ValueParser(complaint: "is not a log level; known are \(LogLevelSwitch.known)") {
            Logger.Level(rawValue: $0.lowercased())
        }
    }
}

extension ValueParser where Value == CallLogMode {
    static var callLog: ValueParser {
        ValueParser(complaint: "is none of sampled, all and none") { CallLogMode(rawValue: $0.lowercased()) }
    }
}

extension Int {
    /// `nil` when `text` is not a whole number with an optional unit of `Ki`, `Mi` or `Gi`, with or without a `B`.
    init?(bytes text: String) {
        let unit = text.utf8.drop { (0x30...0x39).contains($0) }
        let digits = text.utf8.dropLast(unit.count)
        let shift: Int
        switch String(decoding: unit.prefix(4), as: UTF8.self) {
        case "", "B": shift = 0
        case "Ki", "KiB": shift = 10
        case "Mi", "MiB": shift = 20
        case "Gi", "GiB": shift = 30
        default: return nil
        }
        guard !digits.isEmpty, let number = Int(String(decoding: digits, as: UTF8.self)) else { return nil }
        let (bytes, isTooLarge) = number.multipliedReportingOverflow(by: 1 << shift)
        guard !isTooLarge else { return nil }
        self = bytes
    }
}

extension Duration {
    /// `nil` when `text` is not a decimal number with an optional unit of `ms`, `s`, `m` or `h`.
    init?(setting text: String) {
        let units: [(suffix: String, seconds: Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3_600), ("", 1)]
        for unit in units where text.hasSuffix(unit.suffix) {
            let digits = text.dropLast(unit.suffix.count)
            // Double also reads "inf", "nan", signs and hexadecimal, which nobody means here.
            guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 == 0x2e || (0x30...0x39).contains($0) }),
                let number = Double(digits), number * unit.seconds < 1e9
            else { return nil }
            self = .milliseconds(Int64((number * unit.seconds * 1_000).rounded()))
            return
        }
        return nil
    }
}
