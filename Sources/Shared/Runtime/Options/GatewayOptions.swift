import ArgumentParser

/// The flags of the gateway.
public struct GatewayOptions: ProgramOptions {
    @Option(
        name: .customLong("address"),
        help: ArgumentHelp(
            "Where the gateway takes requests. [MICRO_API_ADDRESS, or PORT for the port alone] (default: :8080)",
            valueName: "host:port"))
    public var address: String?

    @Option(
        name: .customLong("namespace"),
        help: ArgumentHelp(
            "The prefix taken off a request's service. [MICRO_API_NAMESPACE] (default: shippy)", valueName: "name"))
    public var namespace: String?

    @Option(
        name: .customLong("handler"),
        help: ArgumentHelp(
            "How micro would take requests; only rpc, as here. [MICRO_API_HANDLER] (default: rpc)", valueName: "name"))
    public var handler: String?

    @Option(
        name: .customLong("timeout"),
        help: ArgumentHelp(
            "How long a service may take to answer. [UPSTREAM_TIMEOUT] (default: 5)", valueName: "seconds"))
    public var timeout: String?

    @OptionGroup public var common: CommonOptions

    public init() {}

    public func configuration(environment: [String: String]) throws(ConfigurationError) -> ServiceConfiguration {
        try ServiceConfiguration(self, environment: environment)
    }
}
