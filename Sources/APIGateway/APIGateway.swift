import HTTP
import RPC
import Runtime

/// Turns HTTP requests into calls of the services.
@main
struct APIGateway: ServiceProgram {
    static let commandName = "shippy-api-gateway"
    static let abstract = "The API gateway: POST /rpc as JSON, gRPC behind."
    static let serviceName = "api"
    static let serverProtocols = ["h2", "http/1.1"]

    var configuration = ServiceConfiguration()
    /// What the settings of the gateway alone say.
    var gateway = GatewayConfiguration(address: HostPort(host: "", port: 8080))
    /// The services that callers can reach.
    var services = RouteTable.serviceNames
    /// `PORT`, where neither flag nor variable says an address.
    var port: String?

    func build(_ runtime: ServiceRuntime) async throws -> ServiceParts {
        var settings = self.gateway
        settings.upstreams = try services.map {
            .init(
                name: $0, address: try ServiceAddress.resolve($0, environment: runtime.settings.environment),
                tls: runtime.clientTLS)
        }
        settings.http.address = configuration.address
        settings.http.tls = runtime.serverTLS
        settings.http.memory = runtime.memory
        settings.http.connectionsMax = ProcessLimits.connections(settings.http.connectionsMax)
        settings.connectWait = configuration.connectWait
        settings.shedsLoad = configuration.overloadControl
        let gateway = try await Gateway(
            configuration: settings, group: runtime.group, logger: runtime.logger, observer: Self.observer(runtime))
        Self.watch(gateway, settings.upstreams, runtime)
        return ServiceParts(front: gateway)
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

    /// Logs and traces requests, and counts them unless nobody wants that.
    private static func observer(_ runtime: ServiceRuntime) -> GatewayObserver {
        let scheme = runtime.serverTLS == nil ? "http" : "https"
        var observer = GatewayObserver(
            calls: runtime.clientMetrics, log: runtime.callLog, tracer: runtime.tracer, scheme: scheme)
        if runtime.isTelemetryEnabled {
            observer.metrics = HTTPMetrics(
                registry: runtime.metrics, scheme: scheme, routes: GatewayPath.allCases.map(\.route))
        }
        return observer
    }
}

extension Gateway: Listener {}
