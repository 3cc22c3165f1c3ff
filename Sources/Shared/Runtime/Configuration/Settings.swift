import FoundationEssentials
import RPC

/// The environment variables of a program. An empty one counts as unset, since that is what `NAME: ""` in a manifest
/// means.
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

    /// The variable's value, `nil` when it is unset or empty.
    ///
    /// - Throws: ``ConfigurationError`` that names the variable.
    public func value<Value>(
        _ variable: String, _ parser: ValueParser<Value>
    ) throws(ConfigurationError) -> Value? {
        guard let text = self.variable(variable) else { return nil }
        return try parser.value(text, of: variable)
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
