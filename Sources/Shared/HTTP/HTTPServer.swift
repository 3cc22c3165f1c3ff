import Logging
import NIOCore
import NIOPosix
import NIOSSL
import RPC
import Synchronization

/// An HTTP server (RFC 9110): whole requests in, whole responses out, every wait and size bounded.
///
/// It does HTTP/1.1 (RFC 9112) with keep-alive, pipelining, chunked request bodies, `Expect: 100-continue` and HEAD,
/// HTTP/1.0, HTTP/2 (RFC 9113) by ALPN or prior knowledge, and TLS. It does not stream bodies, compress or upgrade.
/// Over HTTP/1 answers go out in the order of their requests, one worked on at a time per connection.
public final class HTTPServer: Sendable {
    private enum Lifecycle {
        /// Becomes `listening` or `stopped`.
        case new
        /// Becomes `stopped`.
        case listening(any Channel)
        /// Final.
        case stopped
    }

    /// Unsent bytes of a connection that the kernel buffers.
    private static let unsentBytesMax = 32 * 1024

    private let configuration: Configuration
    private let group: MultiThreadedEventLoopGroup
    private let loops: [ObjectIdentifier: LoopContext]
    private let openConnections: OpenConnections
    private let logger: Logger
    /// Rate limit of the warning about too many connections.
    private let fullLog = Pace(every: .seconds(60))
    private let lifecycle = Mutex(Lifecycle.new)

    /// - Parameters:
    ///   - group: connections are spread over its loops; it is not shut down by the server.
    ///   - responder: called on those loops.
    public init(
        configuration: Configuration,
        group: MultiThreadedEventLoopGroup,
        responder: any HTTPResponder,
        logger: Logger
    ) {
        let openConnections = OpenConnections(max: configuration.connectionsMax, memory: configuration.memory)
        var loops: [ObjectIdentifier: LoopContext] = [:]
        for loop in group.makeIterator() {
            loops[ObjectIdentifier(loop)] = LoopContext(
                eventLoop: loop, configuration: configuration, responder: responder,
                openConnections: openConnections, logger: logger)
        }
        openConnections.setLoops(Array(loops.values))
        self.configuration = configuration
        self.group = group
        self.loops = loops
        self.openConnections = openConnections
        self.logger = logger
    }

    /// Connections open now, for a gauge.
    public var connectionCount: Int { openConnections.count }

    /// Binds and listens; answers the bound address. Call it once.
    ///
    /// Throws what the system says when the address is taken or not ours.
    public func start() async throws -> SocketAddress {
        let channel = try await bind()
        let isStopped = lifecycle.withLock { lifecycle in
            guard case .new = lifecycle else { return true }
            lifecycle = .listening(channel)
            return false
        }
        guard !isStopped, let address = channel.localAddress else {
            try? await channel.close()
            throw ChannelError.alreadyClosed
        }
        return address
    }

    /// Stops listening, waits for requests in progress for at most `timeout`. Idempotent.
    ///
    /// The next request on an open connection is answered, with `connection: close`; one without a request is closed
    /// after ``Configuration/drainIdleTimeout``. Over HTTP/2 two GOAWAYs do the same.
    public func drain(timeout: Duration) async {
        let channel = lifecycle.withLock { lifecycle -> (any Channel)? in
            defer { lifecycle = .stopped }
            guard case .listening(let channel) = lifecycle else { return nil }
            return channel
        }
        // A listener that is closed already is what was asked for.
        try? await channel?.close()
        await withTaskGroup { group in
            for loop in loops.values {
                group.addTask { await loop.drain(timeout: timeout) }
            }
        }
    }

    // MARK: Channels

    private func bind() async throws -> any Channel {
        let bootstrap = ServerBootstrap.listening(on: group, logger: logger) { self.freeDescriptors() }
            // A peer that has sent its last request may still read the answer.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            // Bytes that the kernel has not sent yet. Left to itself it takes megabytes for a slow reader, which are
            // memory, and hide for minutes whether the peer takes anything.
            .childChannelOption(.tcpOption(.unsentLowWater), value: Self.unsentBytesMax)
            .childChannelOption(
                .writeBufferWaterMark,
                value: .init(
                    low: max(1, configuration.bufferedResponseBytesMax / 2),
                    high: max(2, configuration.bufferedResponseBytesMax))
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.configure(channel) }
            }
        return try await bootstrap.bind(to: configuration.address)
    }

    /// Closes connections without a request when the system has no descriptor for the next one.
    private func freeDescriptors() {
        for loop in loops.values {
            loop.eventLoop.execute {
                for _ in 0..<Self.evictionsPerShortage where !loop.evict() { return }
            }
        }
    }

    /// Connections that each loop closes when there is no descriptor left.
    private static let evictionsPerShortage = 8

    private func configure(_ channel: any Channel) throws {
        guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else { return channel.close(promise: nil) }
        let admission = openConnections.add { loop.evict() }
        if admission != .fits, fullLog.isDue() {
            logger.warning(
                "there are as many connections as may be; idle ones make room for new ones",
                metadata: ["connections": "\(connectionCount)"])
        }
        guard admission != .noMemory else { return channel.close(promise: nil) }
        let pipeline = channel.pipeline.syncOperations
        do {
            if let tls = configuration.tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
        } catch {
            openConnections.remove()
            throw error
        }
        // From here on the connection counts itself out.
        try pipeline.addHandler(VersionDetector(loop: loop))
        if admission == .beyond { loop.makeRoom(for: channel) }
    }
}

extension NIOBSDSocket.Option {
    /// `TCP_NOTSENT_LOWAT`, which Linux's headers for Swift leave out (tcp(7)).
    fileprivate static let unsentLowWater = NIOBSDSocket.Option(rawValue: 25)
}
