import NIOCore
import NIOSSL
import RPC

extension HTTPServer {
    /// Where a server listens and what it allows its peers. Every bound has a unit and a default that suits a pod.
    public struct Configuration: Sendable {
        public var address: HostPort
        /// `nil` serves plaintext.
        public var tls: NIOSSLContext?
        /// The largest body, in bytes; a larger one is rejected with 413.
        public var bodyBytesMax = 1024 * 1024
        /// The largest request line and header section, in bytes; a larger one is rejected with 431. Over HTTP/2 each
        /// field counts 32 bytes in addition to its name and value (RFC 9113 section 6.5.2).
        public var headerBytesMax = 16 * 1024
        /// How long a peer may take to send one request, from its first byte; then it is rejected with 408.
        public var requestTimeout: Duration = .seconds(10)
        /// How long a connection may stay open between requests.
        public var idleTimeout: Duration = .seconds(75)
        /// How long a connection may stay open between requests while the server drains, at most half of the drain's
        /// timeout. A request that is on its way is then answered, with `connection: close`.
        public var drainIdleTimeout: Duration = .seconds(3)
        /// Time within which a peer must read ``answerBytesMin``. The connection or stream of a slower one is closed.
        public var writeTimeout: Duration = .seconds(30)
        /// Bytes of an answer that a peer must read within ``writeTimeout``, or all that are left: about 1 KiB/s.
        public var answerBytesMin = 32 * 1024
        /// Memory budget of all connections; shared by all servers and clients of a program.
        public var memory = MemoryBudget()
        /// How long a peer that has closed its sending side is still worked for. Closing a socket and closing only its
        /// sending side look the same from here, so a quick answer is sent and a slow one is cancelled.
        public var halfClosedTimeout: Duration = .seconds(1)
        /// How long a rejected peer may send nothing before the socket closes; what it sends is thrown away. Closing
        /// at once would reset the connection and could take the answer away from it (RFC 9112 section 9.6).
        public var lingerTimeout: Duration = .seconds(5)
        /// How long it may go on sending.
        public var lingerTimeMax: Duration = .seconds(30)
        /// How long an HTTP/2 peer may go on sending a request that is answered, and has for closing a connection that is
        /// finished.
        public var http2EndTimeout: Duration = .seconds(2)
        /// Pipelined requests of one connection that wait for their turn; a peer that sends more is cut off.
        public var pipelinedRequestsMax = 4096
        /// Response bytes of one connection that wait for a slow reader before it is answered and read no further.
        public var bufferedResponseBytesMax = 64 * 1024
        /// Largest number of connections. A further one replaces an idle one, or else one that has sent only part of a
        /// request; when all have requests, it is closed at once.
        public var connectionsMax = 10_000
        /// Age up to which a connection without a request is not replaced: its first one may be on its way.
        public var newcomerGrace: Duration = .milliseconds(250)
        /// Limit on the connections of one address; `nil` for none.
        public var addressLimit: AddressLimit?

        public init(address: HostPort, tls: NIOSSLContext? = nil) {
            self.address = address
            self.tls = tls
        }
    }
}

extension HTTPServer.Configuration {
    /// Rate at which peers must read answers now: higher while memory is short.
    var answerRate: ProgressRate {
        ProgressRate(window: TimeAmount(writeTimeout), bytesMin: answerBytesMin).adapted(to: memory)
    }

    /// Header fields in one request over HTTP/1, trailers included; more are rejected with 431. As many as fit into a
    /// section over HTTP/2: the limit is set by memory, not by what browsers send.
    var headerFieldsMax: Int { headerBytesMax / HTTP2Session.fieldOverheadBytes }

    /// How often connections are looked over for lapsed timeouts: an eighth of the shortest, so that none is
    /// overrun by much, and at most every half second.
    var tickInterval: Duration {
        let shortest = min(
            requestTimeout, idleTimeout, writeTimeout, halfClosedTimeout, lingerTimeout, http2EndTimeout)
        return min(max(shortest / 8, .milliseconds(5)), .milliseconds(500))
    }
}

/// A limit on the open connections of one address, so that one caller cannot take them all.
public struct AddressLimit: Sendable {
    /// Largest number of connections of one address, over all event loops.
    public var connectionsMax: Int
    /// Part of a peer's address that counts as one caller; `nil` for peers without a limit, such as proxies.
    public var key: @Sendable (SocketAddress) -> UInt64?

    public init(connectionsMax: Int, key: @escaping @Sendable (SocketAddress) -> UInt64?) {
        self.connectionsMax = connectionsMax
        self.key = key
    }
}
