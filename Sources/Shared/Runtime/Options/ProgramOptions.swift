import ArgumentParser

/// A set of flags that a program's configuration can be made from.
public protocol ProgramOptions: ParsableArguments, Sendable {
    /// Checks flags and variables. Pure: reads nothing but its arguments.
    func configuration(environment: [String: String]) throws(ConfigurationError) -> ServiceConfiguration
}
