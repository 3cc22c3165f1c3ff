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
        configuration.tracer = runtime.tracer
        configuration.namespace = settings.namespace
        configuration.timeout = settings.upstreamTimeout
        configuration.staticDirectory = staticDirectory ?? runtime.settings.variable("STATIC_DIR")
        let calls = runtime.clientMetrics
        let gateway = try await Gateway(
            configuration: configuration, group: runtime.group, logger: runtime.logger,
            recorder: { service, method in calls.recorder(service: service, method: method) })
        Self.watch(gateway, services, runtime)
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

    /// Lets the admin endpoints show what the gateway's own address shows, and its connections.
    private static func watch(_ gateway: Gateway, _ services: [String], _ runtime: ServiceRuntime) {
        for service in services {
            runtime.readiness.add(ReadinessCheck(service) { [weak gateway] in await gateway?.problem(of: service) })
        }
        runtime.metrics.gauge("http_server_open_connections", "Connections that callers have open.") { [weak gateway] in
            Double(gateway?.connectionCount ?? 0)
        }
        runtime.metrics.gauge("rpc_client_connections", "Connections open to services.") { [weak gateway] in
            Double(gateway?.upstreamConnectionCount ?? 0)
        }
    }
}

extension Gateway: Listener {}
