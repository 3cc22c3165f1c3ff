import Logging
import NIOCore
import Synchronization

/// One connection of a server: runs the handlers for what its session reads.
///
/// `@unchecked Sendable`: handler tasks capture it. All state but two properties is touched on the channel's event loop only:
/// its transport calls it there, nghttp2 calls back inside those calls, ``evict()`` is scheduled there, and handler tasks run
/// on ``EventLoopExecutor``s of that loop, so that what they do after each wait is there too (asserted in ``finish(_:_:)``).
/// Other loops that look for a connection to close read ``idleSince``, which is atomic, and ``executor``: that is set once,
/// before ``ConnectionSet`` has the connection, and found only through it; the set's lock orders the two.
final class ServerConnection: @unchecked Sendable {
    /// How long a peer may take to close its side after our last byte.
    private static let lingerTime = TimeAmount.seconds(1)
    /// The same after a graceful shutdown: a peer that has to wait for a processor must still read which of its calls were
    /// not processed, before it finds the connection closed.
    private static let drainLingerTime = TimeAmount.seconds(5)

    let shared: ServerShared
    /// Set at creation, by ``make(_:)``, and never again.
    private(set) var transport: HTTP2Transport?
    private(set) var executor: EventLoopExecutor?
    private(set) var peer = ""
    var running = 0
    /// Bytes of requests that are not complete.
    var pendingRequestBytes = 0
    /// Bytes of answers that are not sent.
    var pendingResponseBytes = 0
    /// Bytes that its calls hold until they are answered, counted in the process's budget.
    var requestMemory: MemoryAccount
    /// Bytes that its answers hold until they are sent, counted in the process's budget.
    var responseMemory: MemoryAccount
    /// How much the peer reads of all answers together.
    var throughput = Throughput()
    var keepalive = KeepaliveState()
    /// Uptime in nanoseconds since which it has no stream, or ``isBusy``. Other threads look for the longest-idle one.
    let idleSince = Atomic<UInt64>(ServerConnection.isBusy)
    /// Of a connection that has streams, has not begun, or is being closed for another.
    static let isBusy = UInt64.max
    /// The peer's first SETTINGS came: the handshakes are over.
    var isGreeted = false
    var timers: ConnectionTimers?

    private init(_ shared: ServerShared) {
        self.shared = shared
        requestMemory = MemoryAccount(.requests, of: shared.configuration.memory)
        responseMemory = MemoryAccount(.responses, of: shared.configuration.memory)
    }

    /// The channel handler of a new connection, which owns the connection.
    static func make(_ shared: ServerShared) -> HTTP2Transport {
        var settings = HTTP2Session.Settings()
        settings.concurrentStreamsMax = UInt32(clamping: shared.configuration.streamsMax)
        settings.headerListBytesMax = UInt32(clamping: shared.configuration.headerListBytesMax)
        // One connection carries the calls of all of a gateway's callers, and each that leaves resets its stream. What a
        // reset leaves behind is bounded by the calls that may run (`sessionOpensStream`), not by how many there are.
        settings.resetBurst = 5_000
        settings.resetsPerSecond = 2_000
        let connection = ServerConnection(shared)
        let transport = HTTP2Transport(.server, settings, owner: connection)
        connection.transport = transport
        return transport
    }

    var session: HTTP2Session? { transport?.session }

    /// Ends the connection without ceremony.
    func close() {
        transport?.close()
    }

    /// It has no stream from here on. On its event loop.
    func becameIdle() {
        idleSince.store(NIODeadline.now().uptimeNanoseconds, ordering: .relaxed)
    }

    /// Closes an idle connection because another needs its place; false when it has streams. On its event loop.
    func evict() -> Bool {
        // One that has ended by itself made room, too.
        guard let transport, let session = transport.session else { return true }
        guard session.streams.isEmpty else { return false }
        guard transport.bufferedBytes == 0 else {
            // The peer still reads its last answer.
            becameIdle()
            return false
        }
        idleSince.store(Self.isBusy, ordering: .relaxed)
        shared.logger.debug("idle connection made room for another", metadata: ["peer": "\(peer)"])
        // One GOAWAY, not the two of a graceful shutdown: the peer learns that calls on their way were not processed.
        session.submitGoAway(.noError)
        transport.flush()
        transport.abort()
        return true
    }
}

// MARK: - What the transport says

extension ServerConnection: HTTP2TransportOwner {
    func transportBegan(_ session: HTTP2Session, _ context: ChannelHandlerContext) {
        peer = context.peerText
        executor = EventLoopExecutor(context.eventLoop)
        timers = ConnectionTimers(self, context.eventLoop, shared.configuration)
        becameIdle()
        switch shared.connections.add(self) {
        case .serving: break
        case .draining: transport?.beginDrain()
        case .closed: close()
        }
    }

    /// Lets the peer read our last bytes and close first, for a moment.
    func transportFinished(_ context: ChannelHandlerContext) {
        transport?.isClosing = true
        let channel = context.channel
        let isDrained = if case .draining? = transport?.drainState { true } else { false }
        let time = isDrained ? Self.drainLingerTime : Self.lingerTime
        context.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
    }

    func transportFailed(_ error: any Error) {
        shared.logger.debug("connection failed", metadata: ["peer": "\(peer)", "error": "\(error)"])
    }

    func transportEnded(_ streams: [HTTP2Stream]) {
        timers?.cancel()
        timers = nil
        shared.connections.remove(self)
        for stream in streams { unsafeDowncast(stream, to: ServerStream.self).task?.cancel() }
        transport = nil
    }
}
