import ArgumentParser

/// The flags of a gRPC service.
public struct ServiceOptions: ProgramOptions {
    @Option(
        name: .customLong("server_address"),
        help: ArgumentHelp(
            "Where the service takes calls. [MICRO_SERVER_ADDRESS] (default: :8080)", valueName: "host:port"))
    public var serverAddress: String?

    @Option(
        name: .customLong("store_timeout"),
        help: ArgumentHelp(
            "How long to wait for a store that can't be reached. [STORE_TIMEOUT] (default: for ever)",
            valueName: "seconds"))
    public var storeTimeout: String?

    @Option(
        name: .customLong("max_connection_age"),
        help: ArgumentHelp(
            "Age at which a caller has to replace its connection; 0 for none. [MAX_CONNECTION_AGE] (default: 300)",
            valueName: "seconds"))
    public var maxConnectionAge: String?

    @OptionGroup public var common: CommonOptions

    public init() {}

    public func configuration(environment: [String: String]) throws(ConfigurationError) -> ServiceConfiguration {
        try ServiceConfiguration(self, environment: environment)
    }
}
