import NIOCore
import NIOTLS

/// What a connection tells the endpoint that it belongs to, on its event loop.
protocol ClientConnectionOwner: AnyObject {
    /// The server's SETTINGS came: calls may be sent.
    func connectionIsReady(_ connection: ClientConnection)
    /// The server changed its settings, perhaps to allow more calls at a time.
    func connectionMayTakeMore(_ connection: ClientConnection)
    /// No new calls: GOAWAY came. Those in flight go on.
    func connectionIsDraining(_ connection: ClientConnection)
    /// It is gone. Every call that it had has ended.
    func connectionClosed(_ connection: ClientConnection)
    func connection(_ connection: ClientConnection, ended call: ClientCall, _ outcome: ClientCall.Outcome)
}

/// One connection of a client. Touched only on its event loop; `@unchecked Sendable` because NIO's channel
/// initializers and scheduled closures carry it there.
final class ClientConnection: ChannelDuplexHandler, HTTP2SessionDelegate, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let writeBytes = 64 * 1024

    private let configuration: RPCClient.Configuration
    private let authority: String
    /// A cycle for as long as the channel is open, so that every call ends with its owner.
    private var owner: (any ClientConnectionOwner)?
    private var session: HTTP2Session?
    private var context: ChannelHandlerContext?
    private var keepalive = KeepaliveState()
    private var tick: RepeatedTask?
    private var out = ByteBuffer()
    private var isReady = false
    private var isDraining = false
    private var isReceiving = false
    private var isSending = false
    private var isFlushScheduled = false
    private var isReadWaiting = false

    init(_ configuration: RPCClient.Configuration, owner: any ClientConnectionOwner) {
        self.configuration = configuration
        self.authority = configuration.target.description
        self.owner = owner
    }

    /// Calls sent and not answered.
    var inFlight: Int { session?.streams.count ?? 0 }

    var canTakeCall: Bool {
        guard let session, isReady, !isDraining else { return false }
        return session.streams.count < session.peerConcurrentStreamsMax && session.canOpenStreams
    }

    // MARK: Calls

    func send(_ call: ClientCall) {
        guard let session else {
            owner?.connection(self, ended: call, .notProcessed(Status(.unavailable, "the connection is closed")))
            return
        }
        call.connection = self
        let scheme: StaticString = configuration.tls == nil ? "http" : "https"
        let isSubmitted = session.submitRequest(call, body: call.body) {
            call.writeHeaders(&$0, scheme: scheme, authority: authority)
        }
        guard isSubmitted else {
            // Stream ids are used up: this connection is at its end.
            beginDraining()
            owner?.connection(self, ended: call, .notProcessed(Status(.unavailable, "the connection is at its end")))
            return
        }
        scheduleFlush()
    }

    /// Nobody waits for `call` any more; the server is told.
    func cancel(_ call: ClientCall) {
        guard call.isOpen else { return }
        session?.submitReset(call, .cancel)
        scheduleFlush()
    }

    /// Ends the connection. May be called from the session's callbacks; the session must not be entered twice, so it
    /// is then done after them.
    func close() {
        guard !isReceiving, !isSending else {
            context?.eventLoop.execute { self.close() }
            return
        }
        session?.submitGoAway(.noError)
        flush()
        context?.close(promise: nil)
    }

    private func beginDraining() {
        guard !isDraining else { return }
        isDraining = true
        owner?.connectionIsDraining(self)
    }

    // MARK: What the session says

    func sessionOpensStream() -> HTTP2Stream? { nil }

    func session(received name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, on stream: HTTP2Stream) {
        unsafeDowncast(stream, to: ClientCall.self).response.receive(
            name, value, bytesMax: configuration.headerListBytesMax)
    }

    func sessionReceivedHeaders(on stream: HTTP2Stream) {}

    func session(received data: UnsafeRawBufferPointer, on stream: HTTP2Stream) {
        let call = unsafeDowncast(stream, to: ClientCall.self)
        if !call.response.receive(data, bytesMax: configuration.messageBytesMax) {
            session?.submitReset(call, .cancel)
        }
    }

    func sessionReceivedEnd(on stream: HTTP2Stream) {
        // Answered before the request was out: a server that does not want the rest need not open its window for it.
        if stream.unsentBytes > 0 { session?.submitReset(stream, .cancel) }
    }

    func session(closed stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        let call = unsafeDowncast(stream, to: ClientCall.self)
        let outcome = call.response.outcome(code, wasNeverSent: call.wasNeverSent)
        owner?.connection(self, ended: call, outcome)
        if isDraining { scheduleFlush() }
    }

    func session(received frame: HTTP2ControlFrame) {
        switch frame {
        case .settings:
            guard !isReady else {
                owner?.connectionMayTakeMore(self)
                return
            }
            isReady = true
            owner?.connectionIsReady(self)
        case .goAway: beginDraining()
        case .pingAcknowledged, .reset: break
        }
    }

    // MARK: Life of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard session == nil else { return }
        var settings = HTTP2Session.Settings()
        settings.headerListBytesMax = UInt32(clamping: configuration.headerListBytesMax)
        settings.concurrentStreamsMax = 0
        guard let session = try? HTTP2Session(.client, settings, delegate: self) else {
            context.close(promise: nil)
            return
        }
        self.session = session
        // A server that accepts and then says nothing is not a server.
        context.eventLoop.scheduleTask(in: TimeAmount(configuration.connectTimeout)) {
            if !self.isReady { self.context?.close(promise: nil) }
        }
        let timeout = configuration.keepaliveTimeout
        let amount = TimeAmount(timeout)
        tick = context.eventLoop.scheduleRepeatedTask(initialDelay: amount, delay: amount) { _ in
            self.onTick(timeout)
        }
        flush()
    }

    private func onTick(_ elapsed: Duration) {
        let action = keepalive.tick(
            elapsed, isWaitingToWrite: false, interval: configuration.keepaliveInterval,
            timeout: configuration.keepaliveTimeout)
        switch action {
        case .nothing: break
        case .ping where inFlight > 0 || configuration.pingsWithoutCalls:
            session?.submitPing()
            flush()
        case .ping: keepalive = KeepaliveState()
        case .close: context?.close(promise: nil)
        }
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
        tick?.cancel()
        tick = nil
        guard let session else { return }
        self.session = nil
        isDraining = true
        for stream in session.streams {
            let call = unsafeDowncast(stream, to: ClientCall.self)
            call.isOpen = false
            owner?.connection(self, ended: call, .lost(Status(.unavailable, "the connection to the service was lost")))
        }
        owner?.connectionClosed(self)
        owner = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSUserEvent, case .handshakeCompleted(let negotiated) = event, negotiated != "h2" {
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: Bytes

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard let session else { return }
        keepalive.hasRead = true
        isReceiving = true
        let isIntact = bytes.withUnsafeReadableBytes { (try? session.receive($0)) != nil }
        isReceiving = false
        if !isIntact {
            flush()
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flush()
        context.fireChannelReadComplete()
    }

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

    private func scheduleFlush() {
        guard !isReceiving, !isFlushScheduled, let context else { return }
        isFlushScheduled = true
        context.eventLoop.execute {
            self.isFlushScheduled = false
            self.flush()
        }
    }

    private func flush() {
        guard let session, let context, !isReceiving, !isSending else { return }
        while context.channel.isWritable {
            out.clear()
            isSending = true
            let drained = try? session.drain(into: &out, bytesMax: Self.writeBytes)
            isSending = false
            guard let more = drained else {
                context.close(promise: nil)
                return
            }
            guard out.readableBytes > 0 else { break }
            context.writeAndFlush(wrapOutboundOut(out), promise: nil)
            guard self.session != nil else { return }
            if !more { break }
        }
        if session.isFinished { context.close(promise: nil) }
    }
}
