import Logging
import NIOCore
import NIOPosix
import NIOSSL
import RPC

/// STUB: signatures only; the real one comes.
public final class HTTPServer: Sendable {
    /// Where a server listens and what it allows its peers.
    public struct Configuration: Sendable {
        public var address: HostPort
        public var tls: NIOSSLContext?
        /// The largest body, in bytes.
        public var bodyBytesMax = 1024 * 1024
        /// The largest request line and header section, in bytes.
        public var headerBytesMax = 16 * 1024
        /// How long a peer may take to send one request, from its first byte.
        public var requestTimeout: Duration = .seconds(10)
        /// How long a connection may stay open between requests.
        public var idleTimeout: Duration = .seconds(75)
        /// Connections at a time; further ones are closed at once.
        public var connectionsMax = 10_000

        public init(address: HostPort, tls: NIOSSLContext? = nil) {
            self.address = address
            self.tls = tls
        }
    }

    public init(
        configuration: Configuration,
        group: MultiThreadedEventLoopGroup,
        responder: any HTTPResponder,
        logger: Logger
    ) {}

    /// Binds and listens; answers the bound address.
    public func start() async throws -> SocketAddress { throw Status(.unimplemented) }

    /// Stops listening, ends idle connections, waits for requests in progress for at most `timeout`. Idempotent.
    public func drain(timeout: Duration) async {}

    /// Connections open now, for a gauge.
    public var connectionCount: Int { 0 }
}
