import Logging
import NIOCore
import NIOTLS

/// One connection of a server: feeds the session what is read, writes what it says, and runs the handlers.
///
/// `@unchecked Sendable`: handler tasks capture it. All state is touched on the channel's event loop only: NIO calls
/// channel handlers there, nghttp2 calls back inside those calls, and handler tasks run on ``EventLoopExecutor``s of
/// that loop, so that what they do after each wait is there too (asserted in ``finish(_:_:)``).
final class ServerConnection: ChannelDuplexHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Bytes handed to the channel in one write.
    private static let writeBytes = 64 * 1024
    /// How long a peer may take to close its side after our last byte.
    private static let lingerTime = TimeAmount.seconds(1)

    let shared: ServerShared
    var session: HTTP2Session?
    var running = 0
    /// Bytes of requests that are not complete.
    var pendingRequestBytes = 0
    /// Bytes of answers that are not sent.
    var pendingResponseBytes = 0
    var drainState = DrainState.serving
    var keepalive = KeepaliveState()
    /// The peer's first SETTINGS came: the handshakes are over.
    var isGreeted = false
    var timers: ConnectionTimers?
    /// Streams answered before their request was complete; reset once the answer is out.
    var answeredEarly: [ServerStream] = []
    private(set) var context: ChannelHandlerContext?
    private(set) var executor: EventLoopExecutor?
    private(set) var peer = ""

    private var out = ByteBuffer()
    private var isReceiving = false
    private var isFlushScheduled = false
    private var isReadWaiting = false
    private var isClosing = false

    init(_ shared: ServerShared) {
        self.shared = shared
    }

    // MARK: Life of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        executor = EventLoopExecutor(context.eventLoop)
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard session == nil, !isClosing else { return }
        peer = context.remoteAddress?.description ?? ""
        var settings = HTTP2Session.Settings()
        settings.concurrentStreamsMax = UInt32(clamping: shared.configuration.streamsMax)
        settings.headerListBytesMax = UInt32(clamping: shared.configuration.headerListBytesMax)
        do {
            session = try HTTP2Session(.server, settings, delegate: self)
        } catch {
            context.close(promise: nil)
            return
        }
        timers = ConnectionTimers(self, context.eventLoop, tick: shared.configuration.keepaliveTimeout)
        shared.connections.add(self)
        if shared.connections.isDraining { beginDrain() }
        flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        self.context = nil
    }

    private func end() {
        isClosing = true
        timers?.cancel()
        timers = nil
        shared.connections.remove(self)
        guard let session else { return }
        self.session = nil
        for stream in session.streams {
            guard let stream = stream as? ServerStream else { continue }
            stream.isOpen = false
            stream.task?.cancel()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        shared.logger.debug("connection failed", metadata: ["peer": "\(peer)", "error": "\(error)"])
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSUserEvent, case .handshakeCompleted(let negotiated) = event, negotiated != "h2" {
            shared.logger.debug("peer did not negotiate h2", metadata: ["peer": "\(peer)"])
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: Bytes in

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard let session else { return }
        keepalive.hasRead = true
        isReceiving = true
        let failure = bytes.withUnsafeReadableBytes { bytes -> HTTP2SessionError? in
            do throws(HTTP2SessionError) {
                try session.receive(bytes)
                return nil
            } catch {
                return error
            }
        }
        isReceiving = false
        if let failure { fail(failure) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flush()
        context.fireChannelReadComplete()
    }

    /// Back-pressure: while the peer does not read what we write, nothing more of it is read.
    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable { context.read() } else { isReadWaiting = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            flush()
            if isReadWaiting, context.channel.isWritable {
                isReadWaiting = false
                context.read()
            }
        }
        context.fireChannelWritabilityChanged()
    }

    private func fail(_ error: HTTP2SessionError) {
        shared.logger.debug("HTTP/2 error", metadata: ["peer": "\(peer)", "error": "\(error)"])
        flush()
        context?.close(promise: nil)
    }

    // MARK: Bytes out

    /// Flushes at the end of the loop's turn, once for all answers of the turn.
    func scheduleFlush() {
        guard !isReceiving, !isFlushScheduled, let context else { return }
        isFlushScheduled = true
        context.eventLoop.execute {
            self.isFlushScheduled = false
            self.flush()
        }
    }

    func flush() {
        guard let session, let context, !isReceiving, !isClosing else { return }
        while context.channel.isWritable {
            out.clear()
            let more: Bool
            do {
                more = try session.drain(into: &out, bytesMax: Self.writeBytes)
            } catch {
                context.close(promise: nil)
                return
            }
            if out.readableBytes > 0 {
                keepalive.hasWritten = true
                context.writeAndFlush(wrapOutboundOut(out), promise: nil)
            }
            // Writing may have found the connection closed.
            guard self.session != nil else { return }
            if !more, !resetAnsweredEarly(session) { break }
        }
        if session.isFinished { linger(context) }
    }

    /// Tells peers that the rest of their request is not wanted (RFC 9113 section 8.1). After the answer has gone to the
    /// channel: nghttp2 drops what a stream still has to send once it is being reset. True when there is more to write.
    private func resetAnsweredEarly(_ session: HTTP2Session) -> Bool {
        guard !answeredEarly.isEmpty else { return false }
        for stream in answeredEarly where stream.isOpen && !stream.hasEnded { session.submitReset(stream, .noError) }
        answeredEarly.removeAll()
        return session.wantsWrite
    }

    /// Nothing more to say on either side: lets the peer read our last bytes and close first, for a moment.
    private func linger(_ context: ChannelHandlerContext) {
        isClosing = true
        let channel = context.channel
        context.eventLoop.scheduleTask(in: Self.lingerTime) { channel.close(promise: nil) }
    }

    /// Ends the connection without ceremony.
    func close() {
        context?.close(promise: nil)
    }
}
