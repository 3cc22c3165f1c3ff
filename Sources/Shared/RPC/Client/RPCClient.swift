import Logging
import NIOCore
import NIOPosix
import NIOSSL
import SwiftProtobuf

/// STUB: signatures only; the real one comes.
public final class RPCClient: Sendable {
    public struct Configuration: Sendable {
        /// Resolved again every `resolveInterval`; all its addresses share the calls.
        public var target: HostPort
        public var tls: NIOSSLContext?
        public init(target: HostPort, tls: NIOSSLContext? = nil) {
            self.target = target
            self.tls = tls
        }
    }

    public init(configuration: Configuration, group: MultiThreadedEventLoopGroup, logger: Logger) {}

    /// Calls `method` and waits for its answer until `deadline`. Throws ``Status`` only.
    public func call<Request: Message, Response: Message>(
        _ method: Method<Request, Response>,
        _ request: Request,
        metadata: Metadata = [:],
        deadline: Deadline
    ) async throws -> Response { throw Status(.unimplemented) }

    /// Closes every connection; calls in flight end with UNAVAILABLE.
    public func shutdown() async {}

    /// Connections open now, for a gauge.
    public var connectionCount: Int { 0 }
}
