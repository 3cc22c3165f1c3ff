/// What only the gateway needs to know, beside its ``ServiceConfiguration``.
public struct GatewaySettings: Sendable, Equatable {
    /// The prefix taken off a request's `service`, without its dot.
    public var namespace: String
    /// The one deadline of a call to a service behind the gateway.
    public var upstreamTimeout: Duration

    public init(namespace: String = "shippy", upstreamTimeout: Duration = .seconds(5)) {
        self.namespace = namespace
        self.upstreamTimeout = upstreamTimeout
    }

    /// Reads `--namespace`, `--handler` and `--timeout`, or their variables.
    ///
    /// - Throws: what can't be used, in one line that names the flag or variable.
    public init(_ options: GatewayOptions, environment: [String: String]) throws(ConfigurationError) {
        let settings = Settings(environment: environment)
        self.init()
        if let (text, source) = settings.text(options.namespace, "namespace", "MICRO_API_NAMESPACE") {
            let isName = text.utf8.allSatisfy {
                (0x61...0x7a).contains($0 | 0x20) || (0x30...0x39).contains($0) || [0x2d, 0x2e, 0x5f].contains($0)
            }
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
