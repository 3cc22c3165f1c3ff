import Logging
import NIOCore
import NIOPosix

/// STUB: signatures only; the real one comes.
public final class RPCServer: Sendable {
    public init(
        routes: [RPCRoute],
        configuration: Configuration,
        group: MultiThreadedEventLoopGroup,
        logger: Logger,
        recorder: (_ service: String, _ method: String) -> (any CallRecorder)? = { _, _ in nil }
    ) {}

    /// Binds and listens; answers the bound address.
    public func start() async throws -> SocketAddress { throw Status(.unimplemented) }

    /// GOAWAY to every connection, waits for calls in flight for at most `timeout`, then closes what is left. Idempotent.
    public func drain(timeout: Duration) async {}

    /// Connections open now, for a gauge.
    public var connectionCount: Int { 0 }
}
