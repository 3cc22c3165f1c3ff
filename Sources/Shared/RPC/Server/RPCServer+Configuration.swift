import NIOCore
import NIOSSL
import Traces

extension RPCServer {
    /// Where a server listens and what it allows its peers. Every bound has a unit and a default that suits a pod.
    public struct Configuration: Sendable {
        public var address: HostPort
        /// `nil` serves plaintext HTTP/2 with prior knowledge.
        public var tls: NIOSSLContext?
        /// The largest request message, in bytes.
        public var messageBytesMax = 4 * 1024 * 1024
        /// The largest header list of a request, in bytes (name + value + 32 each, RFC 9113 section 6.5.2).
        public var headerListBytesMax = 16 * 1024
        /// Calls in flight on one connection.
        public var streamsMax = 256
        /// Connections at a time. A further one replaces the one that has been without calls for longest; when each has
        /// calls, it is closed at once.
        public var connectionsMax = 4_096
        /// Time without calls up to which a connection, also one that has not finished its handshake, is not replaced: its
        /// next call may be on its way.
        public var idleGrace: Duration = .seconds(1)
        /// Request bytes that one connection may hold in memory before its message is complete.
        public var bufferedRequestBytesMax = 16 * 1024 * 1024
        /// Response bytes that one connection may hold for a slow reader; further answers are RESOURCE_EXHAUSTED.
        public var bufferedResponseBytesMax = 16 * 1024 * 1024
        /// Memory budget of all connections; shared by all servers and clients of a program.
        public var memory = MemoryBudget()
        /// A request not complete after so long is given up.
        public var requestTimeout: Duration = .seconds(60)
        /// A connection silent for so long gets a PING.
        public var keepaliveInterval: Duration = .seconds(60)
        /// A PING unanswered for so long, or a handshake not finished by then, ends the connection.
        public var keepaliveTimeout: Duration = .seconds(20)
        /// Age at which a connection gets GOAWAY; it ends with the calls that it has then. A tenth more or less, at random.
        /// A load balancer of connections leads new ones to new servers; without an age none would ever follow.
        /// `nil` sets no age.
        public var connectionAgeMax: Duration?
        /// How long the calls of a connection may go on beyond its age; then it is closed.
        public var connectionAgeGrace: Duration = .seconds(60)

        /// Calls that run at a time, over all connections; further ones fail with RESOURCE_EXHAUSTED.
        public var callsMax = 4_096
        /// Bytes of an answer that a peer must read within ``keepaliveInterval`` and ``keepaliveTimeout`` together;
        /// else the call is cancelled.
        public var answerBytesMin = 32 * 1024

        /// Gives calls their place in a trace, and records those that are sampled; `nil` leaves traces alone.
        public var tracer: SpanTracer?

        public init(address: HostPort, tls: NIOSSLContext? = nil) {
            self.address = address
            self.tls = tls
        }
    }
}
