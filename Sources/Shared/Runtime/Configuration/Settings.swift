import FoundationEssentials
import Logging
import RPC

/// Reads settings that may come from a flag or from an environment variable; the flag wins.
///
/// An empty variable counts as unset, since that is what `NAME: ""` in a manifest means. Every reader throws
/// ``ConfigurationError`` naming the flag or variable at fault.
public struct Settings: Sendable {
    public let environment: [String: String]

    public init(environment: [String: String]) {
        self.environment = environment
    }

    /// The settings of this process, as its environment was at the time of the call.
    public static func ofProcess() -> Settings {
        Settings(environment: ProcessInfo.processInfo.environment)
    }

    /// The variable's text, `nil` when it is unset or empty.
    public func variable(_ name: String) -> String? {
        guard let text = environment[name], !text.isEmpty else { return nil }
        return text
    }

    /// The text of the flag, else of the variable, and which of the two it came from.
    public func text(_ flag: String?, _ name: String, _ variable: String) -> (text: String, source: String)? {
        if let flag { return (flag, "--\(name)") }
        return self.variable(variable).map { ($0, variable) }
    }

    /// An address to listen on, such as `:8080` or `127.0.0.1:0`.
    public func address(
        _ flag: String?, _ name: String, _ variable: String
    ) throws(ConfigurationError) -> HostPort? {
        guard let (text, source) = text(flag, name, variable) else { return nil }
        guard let address = HostPort(text) else {
            throw ConfigurationError("\(source): '\(text)' is not an address; write host:port or :port, such as :8080")
        }
        return address
    }

    /// A time above zero: seconds, or a number with its unit (`500ms`, `20s`, `2m`, `1h`), at most a day.
    public func duration(
        _ flag: String?, _ name: String, _ variable: String
    ) throws(ConfigurationError) -> Duration? {
        guard let (text, source) = text(flag, name, variable) else { return nil }
        guard let duration = Duration(setting: text), duration > .zero, duration <= .seconds(86_400) else {
            throw ConfigurationError(
                "\(source): '\(text)' is not a time above 0 and up to a day; write seconds, such as 20, or 500ms, 20s, 2m"
            )
        }
        return duration
    }

    /// A time as ``duration(_:_:_:)`` reads it, or 0 for none.
    ///
    /// - Parameter standard: what it is when neither flag nor variable is set.
    /// - Returns: `nil` for 0.
    func durationOrNone(
        _ flag: String?, _ name: String, _ variable: String, default standard: Duration
    ) throws(ConfigurationError) -> Duration? {
        guard let (text, _) = text(flag, name, variable) else { return standard }
        if Duration(setting: text) == .zero { return nil }
        return try duration(flag, name, variable)
    }

    /// A whole number within `range`.
    public func integer(
        _ flag: String?, _ name: String, _ variable: String, in range: ClosedRange<Int>
    ) throws(ConfigurationError) -> Int? {
        guard let (text, source) = text(flag, name, variable) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw ConfigurationError(
                "\(source): '\(text)' is not a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A number of bytes, such as `268435456`, `256Mi`, `256MiB` or `1Gi`.
    func bytes(
        _ flag: String?, _ name: String, _ variable: String, min: Int
    ) throws(ConfigurationError) -> Int? {
        guard let (text, source) = text(flag, name, variable) else { return nil }
        guard let bytes = Int(bytes: text), bytes >= min else {
            throw ConfigurationError(
                "\(source): '\(text)' is not a number of bytes from \(min >> 20)Mi upwards; write 256Mi or 1Gi")
        }
        return bytes
    }

    /// A switch: the flag when given, else the variable as true/false, yes/no, on/off or 1/0; false when neither is set.
    public func boolean(
        _ flag: Bool, _ variable: String
    ) throws(ConfigurationError) -> Bool {
        if flag { return true }
        guard let text = self.variable(variable) else { return false }
        switch text.lowercased() {
        case "true", "yes", "on", "1": return true
        case "false", "no", "off", "0": return false
        default: throw ConfigurationError("\(variable): '\(text)' is neither true nor false")
        }
    }

    /// `on` or `off`.
    func toggle(_ flag: String?, _ name: String, _ variable: String) throws(ConfigurationError) -> Bool? {
        guard let (text, source) = text(flag, name, variable) else { return nil }
        switch text {
        case "on": return true
        case "off": return false
        default: throw ConfigurationError("\(source): '\(text)' is neither on nor off")
        }
    }

    /// The variable's `NAME=VALUE,NAME=VALUE`, percent-encoded (W3C Baggage), in order; none when it is unset. It may hold
    /// secrets, so its text is in no error.
    func pairs(_ variable: String) throws(ConfigurationError) -> [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        for member in (self.variable(variable) ?? "").split(separator: ",") {
            let parts = member.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = PercentEncoding.decode(parts[0].trimmedOfBlanks), !name.isEmpty,
                let value = PercentEncoding.decode(parts[1].trimmedOfBlanks)
            else { throw ConfigurationError("\(variable): it is not NAME=VALUE,NAME=VALUE") }
            pairs.append((name, value))
        }
        return pairs
    }

    /// A log level: trace, debug, info, notice, warning, error or critical.
    public func level(
        _ flag: String?, _ name: String, _ variable: String
    ) throws(ConfigurationError) -> Logger.Level? {
        guard let (text, source) = text(flag, name, variable) else { return nil }
        guard let level = Logger.Level(rawValue: text.lowercased()) else {
            throw ConfigurationError("\(source): '\(text)' is not a log level; known are \(LogLevelSwitch.known)")
        }
        return level
    }

    /// Which calls are logged: sampled, all or none.
    func callLog(_ flag: String?) throws(ConfigurationError) -> CallLogMode? {
        guard let (text, source) = text(flag, "log_calls", "LOG_CALLS") else { return nil }
        guard let mode = CallLogMode(rawValue: text.lowercased()) else {
            throw ConfigurationError("\(source): '\(text)' is none of sampled, all and none")
        }
        return mode
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

/// A flag, variable or file that can't be used. Its description is one line for whoever started the program, and
/// holds no secret.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    /// - Parameter description: names the flag or variable, says what is wrong and what would be right, in one line.
    public init(_ description: String) {
        self.description = description
    }
}
