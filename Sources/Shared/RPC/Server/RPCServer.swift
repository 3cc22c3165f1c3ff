import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL

/// A gRPC server for unary calls: HTTP/2 by nghttp2 on NIO's event loops.
///
/// It does not offer streaming calls or compression; both are answered UNIMPLEMENTED.
public final class RPCServer: Sendable {
    /// Label for unknown methods in metrics and logs.
    /// Source: OpenTelemetry, "Semantic conventions for RPC metrics", `rpc.method`.
    public static let unknownMethod = "_OTHER"

    /// Bytes counted for a connection without traffic: channel, handlers, HPACK tables.
    static let connectionBytes = 20 * 1024

    private let shared: ServerShared
    private let group: MultiThreadedEventLoopGroup
    let listener = NIOLockedValueBox<(any Channel)?>(nil)

    /// - Parameters:
    ///   - routes: what it answers; the first of two with the same path wins.
    ///   - group: the loops that connections, and thereby handlers, run on.
    ///   - observer: asked once for each route, at creation, and for ``unknownMethod`` with an empty service.
    public init(
        routes: [RPCRoute],
        configuration: Configuration,
        group: MultiThreadedEventLoopGroup,
        logger: Logger,
        observer: (_ service: String, _ method: String) -> (any CallObserver)? = { _, _ in nil }
    ) {
        self.group = group
        self.shared = ServerShared(
            routes: routes.map { ServerRoute($0, observer: observer($0.service, $0.name)) },
            unknownRoute: ServerRoute(unknownNamed: Self.unknownMethod, observer: observer("", Self.unknownMethod)),
            configuration: configuration,
            logger: logger
        )
    }

    /// Binds and listens; answers the bound address. Throws what the system says (address in use, no permission, ...).
    public func start() async throws -> SocketAddress {
        let shared = shared
        let bootstrap = ServerBootstrap.listening(on: group, logger: shared.logger) { shared.freeDescriptors() }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let isAdmitted = shared.admit(channel)
                    if let tls = shared.configuration.tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                    }
                    try channel.pipeline.syncOperations.addHandler(ServerConnection.make(shared))
                    if !isAdmitted { shared.makeRoom(for: channel) }
                }
            }
        let channel = try await bootstrap.bind(to: shared.configuration.address)
        listener.withLockedValue { $0 = channel }
        guard let address = channel.localAddress else { throw ChannelError.unknownLocalAddress }
        return address
    }

    /// Stops listening, sends GOAWAY on every connection, waits for the calls in flight for at most `timeout`, then
    /// closes what is left. May be called again.
    public func drain(timeout: Duration) async {
        if let channel = listener.withLockedValue({ $0 }) { try? await channel.close() }
        for connection in shared.connections.setPhase(.draining) {
            connection.executor?.eventLoop.execute { connection.transport?.beginDrain() }
        }
        let timer = group.next().scheduleTask(in: TimeAmount(timeout)) { [shared] in
            for connection in shared.connections.setPhase(.closed) {
                connection.executor?.eventLoop.execute { connection.close() }
            }
        }
        await shared.connections.waitUntilEmpty()
        timer.cancel()
        _ = shared.connections.setPhase(.closed)
    }

    /// Calls shed so far because too many were running, for a counter.
    public var shedCalls: Int { shared.running.shedCount }

    /// Connections open now, for a gauge.
    public var connectionCount: Int { shared.connections.count }
}
