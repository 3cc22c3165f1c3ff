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
        /// How long a call waits for a connection, within its deadline, before it fails with UNAVAILABLE. 0: a call
        /// fails as soon as an attempt to connect has failed.
        public var connectWait: Duration = .seconds(2)
        package var backoff = Backoff.betweenConnections
        /// The largest message either way, in bytes.
        public var messageBytesMax = 4 * 1024 * 1024
        /// The largest header list of an answer, in bytes.
        public var headerListBytesMax = 16 * 1024
        /// Memory budget of all connections; shared by all servers and clients of a program.
        public var memory = MemoryBudget()
        /// Calls that may wait on one event loop. A further one fails: with UNAVAILABLE while there is no connection,
        /// else with RESOURCE_EXHAUSTED.
        public var waitingCallsMax = 1_024
        /// Attempts for one call, the first included. Source: gRFC A6, which sets this maximum.
        public var attemptsMax = 5
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

        /// ``backoff``, shortened so that a call sees several attempts within its ``connectWait``.
        var backoffWithinWait: Backoff {
            guard connectWait > .zero else { return backoff }
            var cut = backoff
            cut.longest = min(backoff.longest, connectWait / 4)
            return cut
        }
    }
}

extension Backoff {
    /// Backoff between attempts to connect. Short, as calls wait meanwhile: a refused attempt costs next to nothing,
    /// and several must fit into ``RPCClient/Configuration/connectWait``.
    package static let betweenConnections = Backoff(first: .milliseconds(20), longest: .milliseconds(500))
}
