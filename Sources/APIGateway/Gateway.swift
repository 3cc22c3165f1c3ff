import Contracts
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
    /// Queues and sheds calls; `nil` where none is shed.
    let shedder: LoadShedder?
    private let limiter: RateLimiter?

    /// Reads the static files, if any; throws ``StaticFilesError`` when they can't be served. Opens nothing yet.
    ///
    /// - Parameters:
    ///   - group: the loops for callers and services; a request stays on one of them from end to end.
    ///   - observer: is told of each request.
    init(
        configuration: GatewayConfiguration,
        group: MultiThreadedEventLoopGroup,
        logger: Logger,
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
                configuration: configuration.client(of: upstream), group: group, logger: logger)
        }
        let checks = configuration.upstreams.compactMap { upstream in
            clients[upstream.name].map { Readiness.Check(service: upstream.name, client: $0) }
        }
        let table = RouteTable(
            configuration.schema, namespace: configuration.namespace, clients: clients, calls: observer.calls)
        self.clients = clients
        shedder =
            configuration.shedsLoad
            ? LoadShedder(methods: Self.queues(table), group: group, logger: logger) : nil
        limiter = configuration.rateLimit.map {
            RateLimiter(rate: $0, proxies: configuration.trustedProxies, clock: configuration.rateClock)
        }
        self.readiness = Readiness(
            checks: checks, timeout: configuration.readinessTimeout, lifetime: configuration.readinessLifetime)
        var http = configuration.http
        if let rate = configuration.rateLimit {
            http.addressLimit = RateLimiter.connectionLimit(rate: rate, proxies: configuration.trustedProxies)
        }
        self.server = HTTPServer(
            configuration: http,
            group: group,
            responder: GatewayResponder(
                configuration, table: table, shedder: shedder, limiter: limiter,
                rejectionDelays: RejectionDelays(group: group), readiness: readiness, files: files,
                observer: observer, logger: logger),
            logger: logger)
    }

    /// Log-ins, and sign-ups, of one loop that are with the service, and how long further ones wait. Each takes some 50 ms
    /// of a processor, and twenty times as much beside programs that never rest. Its caller would rather wait for 2.5
    /// seconds than be shed; and after an overload those that waited are hashed within two seconds.
    private static let hashesInFlightMax = 3
    private static let hashesWaitMax = TimeAmount.milliseconds(2_500)
    private static let hashingMethods = [UserMethods.create.path, UserMethods.auth.path]

    private static func queues(_ table: RouteTable) -> [LoadShedder.Method] {
        table.queues.map { entry in
            let client = entry.client
            var method = LoadShedder.Method(name: entry.route.fullName) { client.isConnected(on: $0) }
            if hashingMethods.contains("/\(method.name)") {
                method.bounds = .patient(inFlightMax: hashesInFlightMax, waitMax: hashesWaitMax)
            }
            return method
        }
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

    /// Requests rejected as their address made too many; `nil` where there is no such limit.
    var rateLimitedRequests: Int? { limiter?.limitedCount }

    /// Connections to a service open now, for a gauge.
    func connectionCount(to service: String) -> Int { clients[service]?.connectionCount ?? 0 }
}
