/// Why a program ends with a non-zero status, in one line for standard error.
public struct ProgramFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    /// - Parameter description: one line without secrets.
    public init(_ description: String) {
        self.description = description
    }
}
