/// A flag, variable or file that can't be used. Its description is one line for whoever started the program, and
/// holds no secret.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    /// - Parameter description: names the flag or variable, says what is wrong and what would be right, in one line.
    public init(_ description: String) {
        self.description = description
    }
}
