import NIOCore
import NIOSSL

extension RPCClient {
    /// Whom a client calls, and its bounds.
    public struct Configuration: Sendable {
        /// Its name is looked up again every `resolveInterval`, and after a failure; all its addresses share the calls.
        public var target: HostPort
        /// `nil` speaks plaintext HTTP/2 with prior knowledge.
        public var tls: NIOSSLContext?
        public var resolveInterval: Duration = .seconds(5)
        /// To connect, and then once more for the server's first frame.
        public var connectTimeout: Duration = .seconds(2)
        package var backoff = Backoff()
        /// The largest message either way, in bytes.
        public var messageBytesMax = 4 * 1024 * 1024
        /// The largest header list of an answer, in bytes.
        public var headerListBytesMax = 16 * 1024
        /// What all connections may hold; shared by all servers and clients of a program.
        public var memory = MemoryBudget()
        /// Calls that may wait for a connection on one event loop; further ones are RESOURCE_EXHAUSTED.
        public var waitingCallsMax = 1_024
        /// Attempts for one call, the first included.
        public var attemptsMax = 3
        /// A connection silent for so long gets a PING.
        public var keepaliveInterval: Duration = .seconds(20)
        /// A PING unanswered for so long ends the connection.
        public var keepaliveTimeout: Duration = .seconds(10)
        /// Whether to ping when no call is in flight. Servers of other makes may take that for a flood.
        public var pingsWithoutCalls = true

        public init(target: HostPort, tls: NIOSSLContext? = nil) {
            self.target = target
            self.tls = tls
        }

    }
}
