import HTTP
import Logging
import NIOCore
import NIOPosix
import RPC

/// The API gateway: one HTTP server in front, a client for each service behind it.
final class Gateway: Sendable {
    private let server: HTTPServer
    private let readiness: Readiness
    private let clients: [String: RPCClient]
    /// What it refuses under load, for metrics; `nil` where it never does.
    let admission: AdmissionControl?
    private let limiter: RateLimiter?

    /// Reads the static files, if any; throws ``StaticFilesError`` when they can't be served. Opens nothing yet.
    ///
    /// - Parameters:
    ///   - group: the loops for callers and services; a request stays on one of them from end to end.
    ///   - recorder: asked once for each method, with the service's full name.
    ///   - observer: hears of each request.
    init(
        configuration: GatewayConfiguration,
        group: MultiThreadedEventLoopGroup,
        logger: Logger,
        recorder: (_ service: String, _ method: String) -> (any CallRecorder)? = { _, _ in nil },
        observer: GatewayObserver = GatewayObserver()
    ) async throws {
        var files: StaticFiles?
        if let directory = configuration.staticDirectory {
            let loaded = try await StaticFiles.load(from: directory)
            logger.info("static files read", metadata: ["directory": "\(directory)", "paths": "\(loaded.count)"])
            files = loaded
        }
        var clients: [String: RPCClient] = [:]
        for upstream in configuration.upstreams {
            clients[upstream.name] = RPCClient(
                configuration: .init(target: upstream.address, tls: upstream.tls), group: group, logger: logger)
        }
        let checks = configuration.upstreams.compactMap { upstream in
            upstream.isRequired
                ? clients[upstream.name].map { Readiness.Check(service: upstream.name, client: $0) } : nil
        }
        let table = RouteTable(namespace: configuration.namespace, clients: clients, recorder: recorder)
        self.clients = clients
        admission =
            configuration.refusesUnderLoad
            ? AdmissionControl(methods: table.methods, group: group, logger: logger) : nil
        limiter = configuration.rateLimit.map { RateLimiter(rate: $0, proxies: configuration.trustedProxies) }
        self.readiness = Readiness(
            checks: checks, timeout: configuration.readinessTimeout, lifetime: configuration.readinessLifetime)
        self.server = HTTPServer(
            configuration: configuration.http,
            group: group,
            responder: GatewayResponder(
                namespace: configuration.namespace,
                timeout: configuration.timeout,
                table: table,
                admission: admission,
                limiter: limiter,
                pauses: RefusalPauses(group: group),
                readiness: readiness,
                files: files,
                observer: observer,
                trace: GatewayTrace(configuration),
                logger: logger),
            logger: logger)
    }

    /// Binds and listens; answers the bound address. Throws what the system says when that fails.
    func start() async throws -> SocketAddress {
        try await server.start()
    }

    /// Becomes not ready, lets requests in progress finish for at most `timeout`, then lets the services go. Idempotent.
    func drain(timeout: Duration) async {
        readiness.drain()
        await server.drain(timeout: timeout)
        for client in clients.values { await client.shutdown() }
    }

    /// What is wrong with a service behind the gateway; `nil` if it is ready, or not one of those that must be.
    func problem(of service: String) async -> String? {
        await readiness.outcome().problems.first { $0.service == service }?.problem
    }

    /// Callers' connections open now, for a gauge.
    var connectionCount: Int { server.connectionCount }

    /// Requests refused as their address made too many; `nil` where there is no such limit.
    var rateLimitRefusals: Int? { limiter?.refusalCount }

    /// Connections to a service open now, for a gauge.
    func connectionCount(to service: String) -> Int { clients[service]?.connectionCount ?? 0 }
}
