import ArgumentParser

/// A set of flags that a program's configuration can be made from.
public protocol ProgramOptions: ParsableArguments, Sendable {
    /// The flags that every program takes.
    var common: CommonOptions { get }

    /// Checks flags and variables. Pure: reads nothing but its arguments.
    func configuration(environment: [String: String]) throws(ConfigurationError) -> ServiceConfiguration
}
