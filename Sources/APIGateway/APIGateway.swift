import ArgumentParser
import HTTP
import Runtime

/// Turns HTTP requests into calls of the services.
@main
struct APIGateway: ServiceProgram {
    static let configuration = CommandConfiguration(
        commandName: "shippy-api-gateway", abstract: "The API gateway: POST /rpc as JSON, gRPC behind.")
    static let serviceName = "api"
    static let serverProtocols = ["h2", "http/1.1"]
    @OptionGroup var options: GatewayOptions

    @Option(
        name: .customLong("services"),
        help: ArgumentHelp(
            "The services that callers reach, all by default; the gateway is ready when they are. [SERVICES]",
            valueName: "names"))
    var services: String?

    @Option(
        name: .customLong("static"),
        help: ArgumentHelp("A folder of files to serve at /. [STATIC_DIR]", valueName: "folder"))
    var staticDirectory: String?

    @Option(
        name: .customLong("rate_limit"),
        help: ArgumentHelp(
            """
            Requests that one address may make in a second, twice as many at once; as many connections may it have open. \
            [RATE_LIMIT] (default: any number)
            """,
            valueName: "count"))
    var rateLimit: String?

    @Option(
        name: .customLong("trusted_proxies"),
        help: ArgumentHelp(
            """
            Proxies that are believed about a caller's address (X-Forwarded-For): how many stand before the gateway, \
            or their addresses and networks, with commas. [TRUSTED_PROXIES] (default: none)
            """, valueName: "proxies"))
    var trustedProxies: String?

    func build(_ runtime: ServiceRuntime) async throws -> ServiceParts {
        let environment = runtime.settings.environment
        let settings = try GatewaySettings(options, environment: environment)
        var configuration = GatewayConfiguration(address: runtime.configuration.address)
        let services = try Self.serviceNames(services, runtime.settings)
        configuration.upstreams = try services.map {
            .init(
                name: $0, address: try ServiceAddress.resolve($0, environment: environment), tls: runtime.clientTLS)
        }
        configuration.http.tls = runtime.serverTLS
        configuration.http.memory = runtime.memory
        configuration.http.connectionsMax = ProcessLimits.connections(configuration.http.connectionsMax)
        configuration.tracer = runtime.tracer
        configuration.namespace = settings.namespace
        configuration.timeout = settings.upstreamTimeout
        configuration.connectWait = runtime.configuration.connectWait
        configuration.staticDirectory = staticDirectory ?? runtime.settings.variable("STATIC_DIR")
        configuration.shedsLoad = runtime.configuration.overloadControl
        configuration.rateLimit = try runtime.settings.integer(
            rateLimit, "rate_limit", "RATE_LIMIT", in: RateLimiter.rateRange)
        configuration.trustedProxies = try Self.proxies(trustedProxies, runtime.settings)
        let calls = runtime.clientMetrics
        let gateway = try await Gateway(
            configuration: configuration, group: runtime.group, logger: runtime.logger,
            recorder: { service, method in calls.recorder(service: service, method: method) },
            observer: Self.observer(runtime))
        Self.watch(gateway, configuration.upstreams, runtime)
        return ServiceParts(front: gateway)
    }

    /// The named services, or all that may be reached from outside.
    private static func serviceNames(_ flag: String?, _ settings: Settings) throws(ConfigurationError) -> [String] {
        guard let text = flag ?? settings.variable("SERVICES") else { return RouteTable.serviceNames }
        let names = text.split(separator: ",").map(String.init)
        let known = RouteTable.serviceNames
        guard !names.isEmpty, Set(names).count == names.count, names.allSatisfy(known.contains) else {
            let source = flag == nil ? "SERVICES" : "--services"
            throw ConfigurationError(
                "\(source): '\(text)' are not names of \(known.joined(separator: ",")), with commas")
        }
        return names
    }

    private static func proxies(
        _ flag: String?, _ settings: Settings
    ) throws(ConfigurationError) -> TrustedProxies? {
        guard let text = flag ?? settings.variable("TRUSTED_PROXIES") else { return nil }
        guard let proxies = TrustedProxies(text) else {
            let source = flag == nil ? "TRUSTED_PROXIES" : "--trusted_proxies"
            throw ConfigurationError(
                "\(source): '\(text)' is neither a number from 1 to \(TrustedProxies.hopsMax) nor networks such as 10.0.0.0/8"
            )
        }
        return proxies
    }

    /// Lets the admin endpoints show what the gateway's own address shows, and its connections.
    private static func watch(
        _ gateway: Gateway, _ upstreams: [GatewayConfiguration.Upstream], _ runtime: ServiceRuntime
    ) {
        for upstream in upstreams {
            let service = upstream.name
            runtime.readiness.add(ReadinessCheck(service) { [weak gateway] in await gateway?.problem(of: service) })
            runtime.metrics.gauge(
                "rpc_client_connections", "Connections open to another service.", labels: upstream.address.labels
            ) { [weak gateway] in
                Double(gateway?.connectionCount(to: service) ?? 0)
            }
        }
        if let shedder = gateway.shedder { watch(shedder, runtime.metrics) }
        if gateway.rateLimitedRequests != nil {
            runtime.metrics.counter(
                "http_server_rate_limited_total", "Requests rejected as their address made too many."
            ) { [weak gateway] in Double(gateway?.rateLimitedRequests ?? 0) }
        }
        runtime.metrics.gauge("http_server_open_connections", "Connections that callers have open.") { [weak gateway] in
            Double(gateway?.connectionCount ?? 0)
        }
    }

    private static func watch(_ shedder: LoadShedder, _ metrics: MetricsRegistry) {
        for (index, method) in shedder.methods.enumerated() {
            let labels = [("rpc_method", method.name)]
            metrics.gauge(
                "rpc_client_queued_calls", "Calls that wait before they go on to their service.", labels: labels
            ) { Double(shedder.queued(index)) }
            metrics.gauge(
                "rpc_client_shedding", "Event loops on which a method has more calls than are served in time.",
                labels: labels
            ) { Double(shedder.sheddingLoops(index)) }
            for reason in SheddingReason.allCases {
                metrics.counter(
                    "rpc_client_refusals_total", "Calls shed before anything was done for them.",
                    labels: labels + [("reason", reason.rawValue)]
                ) { Double(shedder.shedCount(index, reason)) }
            }
        }
    }

    /// Counts requests, unless nobody wants that, and logs them.
    private static func observer(_ runtime: ServiceRuntime) -> GatewayObserver {
        var observer = GatewayObserver(log: runtime.callLog)
        if runtime.isTelemetryEnabled {
            observer.metrics = HTTPMetrics(
                registry: runtime.metrics, scheme: runtime.serverTLS == nil ? "http" : "https",
                routes: GatewayPath.allCases.map(\.route))
        }
        return observer
    }
}

extension Gateway: Listener {}
