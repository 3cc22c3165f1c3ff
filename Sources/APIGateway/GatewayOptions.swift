import ArgumentParser
import RPC
import Runtime

/// The gateway's flags that micro's gateway has too.
struct GatewayOptions: ProgramOptions {
    private static let portRange = 1...65_535

    @Option(
        name: .customLong("address"),
        help: ArgumentHelp(
            "Where the gateway takes requests. [MICRO_API_ADDRESS, or PORT for the port alone] (default: :8080)",
            valueName: "host:port"))
    var address: String?

    @Option(
        name: .customLong("namespace"),
        help: ArgumentHelp(
            "The prefix taken off a request's service. [MICRO_API_NAMESPACE] (default: shippy)", valueName: "name"))
    var namespace: String?

    @Option(
        name: .customLong("handler"),
        help: ArgumentHelp(
            "How micro would take requests; only rpc, as here. [MICRO_API_HANDLER] (default: rpc)", valueName: "name"))
    var handler: String?

    @Option(
        name: .customLong("timeout"),
        help: ArgumentHelp(
            "How long a service may take to answer. [UPSTREAM_TIMEOUT] (default: 5)", valueName: "seconds"))
    var timeout: String?

    @OptionGroup var common: CommonOptions

    /// Reads all but what ``GatewaySettings`` reads.
    func configuration(environment: [String: String]) throws(ConfigurationError) -> ServiceConfiguration {
        let settings = Settings(environment: environment)
        let address = try settings.address(self.address, "address", "MICRO_API_ADDRESS")
        // Platforms that run containers behind a router of theirs choose the port and say it so (12-factor).
        let port = try address == nil ? settings.integer(nil, "port", "PORT", in: Self.portRange) : nil
        return try ServiceConfiguration(common, settings, address: address ?? HostPort(host: "", port: port ?? 8080))
    }
}

/// What only the gateway needs to know, beside its `ServiceConfiguration`.
struct GatewaySettings: Sendable, Equatable {
    /// The prefix taken off a request's `service`, without its dot.
    var namespace = "shippy"
    /// The one deadline of a call to a service behind the gateway.
    var upstreamTimeout: Duration = .seconds(5)

    init() {}

    /// Reads `--namespace`, `--handler` and `--timeout`, or their variables.
    ///
    /// - Throws: what can't be used, in one line that names the flag or variable.
    init(_ options: GatewayOptions, environment: [String: String]) throws(ConfigurationError) {
        let settings = Settings(environment: environment)
        if let (text, source) = settings.text(options.namespace, "namespace", "MICRO_API_NAMESPACE") {
            let isName = text.utf8.allSatisfy { $0.isAlphanumericASCII || "-._".utf8.contains($0) }
            guard isName, !text.isEmpty else {
                throw ConfigurationError(
                    "\(source): '\(text)' is not a namespace; write letters and digits, such as shippy")
            }
            namespace = text
        }
        if let (text, source) = settings.text(options.handler, "handler", "MICRO_API_HANDLER"), text != "rpc" {
            throw ConfigurationError("\(source): '\(text)' is not a handler; the only one is rpc (POST /rpc)")
        }
        upstreamTimeout = try settings.duration(options.timeout, "timeout", "UPSTREAM_TIMEOUT") ?? upstreamTimeout
    }
}
