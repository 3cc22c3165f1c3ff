import NIOCore

/// What a connection tells the subchannel that it belongs to, on its event loop.
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

/// One connection of a client.
///
/// `@unchecked Sendable`: closures that are scheduled on its event loop carry it. Its ``Subchannel`` makes it and calls it on
/// that loop (``LoopClient`` asserts it), its channel is on the same loop, where its transport calls it, and its timers are
/// that loop's (asserted in `send(_:)`, `cancel(_:)` and `close()`).
final class ClientConnection: @unchecked Sendable {
    private let configuration: RPCClient.Configuration
    private let authority: String
    /// A cycle for as long as the channel is open, so that every call ends with its owner.
    private var owner: (any ClientConnectionOwner)?
    /// The channel handler; `nil` once the channel is gone.
    private(set) var transport: HTTP2Transport?
    private var keepalive = KeepaliveState()
    private var tick: RepeatedTask?
    private var isReady = false
    private var isDraining = false
    /// Bytes of incomplete answers, counted in the process's budget.
    private var memory: MemoryAccount
    /// Whether the server has answered a call.
    private(set) var hasAnswered = false
    private var names = IntroducedNames()

    init(_ configuration: RPCClient.Configuration, owner: any ClientConnectionOwner) {
        self.configuration = configuration
        self.authority = configuration.target.description
        self.owner = owner
        memory = MemoryAccount(.responses, of: configuration.memory)
        var settings = HTTP2Session.Settings()
        settings.headerListBytesMax = UInt32(clamping: configuration.headerListBytesMax)
        settings.concurrentStreamsMax = 0
        transport = HTTP2Transport(.client, settings, owner: self)
    }

    private var session: HTTP2Session? { transport?.session }

    /// Releases a transport that was never added to a channel.
    func discard() {
        transport = nil
        owner = nil
    }

    /// Calls sent and not answered.
    var inFlight: Int { session?.streams.count ?? 0 }

    /// Whether there is room for one more call: all that the server allows for a probe, and a few less for others, who would
    /// else leave none.
    func canTake(probe: Bool) -> Bool {
        guard let session, isReady, !isDraining else { return false }
        let allowed = session.peerConcurrentStreamsMax
        let kept = probe ? 0 : min(allowed / 32, Self.probeStreams)
        return session.streams.count < allowed - kept && session.canOpenStreams
    }

    /// Whether it takes calls, at once or when others have ended: a server may allow none at all.
    var allowsCalls: Bool {
        guard let session, isReady, !isDraining else { return false }
        return session.peerConcurrentStreamsMax > 0 && session.canOpenStreams
    }

    /// More than the probes that a process may have under way: one for each thing that asks.
    private static let probeStreams = 8

    // MARK: Calls

    func send(_ call: ClientCall) {
        assertOnLoop()
        guard let session else {
            owner?.connection(self, ended: call, .connectionLost("the connection is closed", wasNeverSent: true))
            return
        }
        call.connection = self
        let scheme: StaticString = configuration.tls == nil ? "http" : "https"
        let isSubmitted = session.submitRequest(call, body: call.body) {
            call.writeHeaders(&$0, scheme: scheme, authority: authority, &names)
        }
        guard isSubmitted else {
            // Stream ids are used up: this connection is at its end.
            beginDraining()
            owner?.connection(self, ended: call, .connectionLost("the connection is at its end", wasNeverSent: true))
            return
        }
        transport?.scheduleFlush()
    }

    /// Nobody waits for `call` any more; the server is told.
    func cancel(_ call: ClientCall) {
        assertOnLoop()
        guard call.isOpen else { return }
        session?.submitReset(call, .cancel)
        transport?.scheduleFlush()
    }

    /// Ends the connection. May be called from the session's callbacks; the session must not be entered twice, so it
    /// is then done after them.
    func close() {
        assertOnLoop()
        guard let transport else { return }
        guard !transport.isInsideSession else {
            transport.context?.eventLoop.execute { self.close() }
            return
        }
        transport.session?.submitGoAway(.noError)
        transport.flush()
        transport.close()
    }

    /// There is no loop to compare with before the channel is there, or after.
    private func assertOnLoop() {
        transport?.context?.eventLoop.assertInEventLoop()
    }

    private func beginDraining() {
        guard !isDraining else { return }
        isDraining = true
        owner?.connectionIsDraining(self)
    }
}

// MARK: - What the transport says

extension ClientConnection: HTTP2TransportOwner {
    func transportBegan(_ session: HTTP2Session, _ context: ChannelHandlerContext) {
        // A server that accepts and then says nothing is not a server.
        context.eventLoop.scheduleTask(in: TimeAmount(configuration.connectTimeout)) {
            if !self.isReady { self.transport?.close() }
        }
        let timeout = configuration.keepaliveTimeout
        let amount = TimeAmount(timeout)
        tick = context.eventLoop.scheduleRepeatedTask(initialDelay: amount, delay: amount) { _ in
            self.onTick(timeout)
        }
    }

    private func onTick(_ elapsed: Duration) {
        guard let transport else { return }
        keepalive.observe(transport)
        let action = keepalive.tick(
            elapsed, isWaitingToWrite: false, interval: configuration.keepaliveInterval,
            timeout: configuration.keepaliveTimeout)
        switch action {
        case .nothing: break
        case .ping where inFlight > 0 || configuration.pingsWithoutCalls:
            session?.submitPing()
            transport.flush()
        case .ping: keepalive = KeepaliveState()
        case .close: transport.close()
        }
    }

    func transportFinished(_ context: ChannelHandlerContext) {
        context.close(promise: nil)
    }

    func transportFailed(_ error: any Error) {}

    func transportEnded(_ streams: [HTTP2Stream]) {
        tick?.cancel()
        tick = nil
        isDraining = true
        transport = nil
        for stream in streams {
            let call = unsafeDowncast(stream, to: ClientCall.self)
            owner?.connection(
                self, ended: call,
                .connectionLost("the connection to the service was lost", wasNeverSent: call.wasNeverSent))
        }
        owner?.connectionClosed(self)
        owner = nil
    }
}

// MARK: - What the session says

extension ClientConnection {
    func sessionOpensStream() -> HTTP2Stream? { nil }

    func session(received name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, on stream: HTTP2Stream) {
        let call = unsafeDowncast(stream, to: ClientCall.self)
        if !call.response.receive(name, value, bytesMax: configuration.headerListBytesMax) {
            session?.submitReset(call, .cancel)
        }
    }

    func sessionReceivedHeaders(on stream: HTTP2Stream) {
        unsafeDowncast(stream, to: ClientCall.self).response.endSection()
    }

    func session(received data: UnsafeRawBufferPointer, on stream: HTTP2Stream) {
        let call = unsafeDowncast(stream, to: ClientCall.self)
        guard call.response.receive(data, bytesMax: configuration.messageBytesMax) else {
            session?.submitReset(call, .cancel)
            return
        }
        let grown = call.response.heldBytes - call.heldBytes
        guard grown > 0 else { return }
        if memory.take(grown) {
            call.heldBytes += grown
        } else {
            call.response.fail(.outOfMemory)
            session?.submitReset(call, .cancel)
        }
    }

    func sessionReceivedEnd(on stream: HTTP2Stream) {
        // Answered before the request was out: a server that does not want the rest need not open its window for it.
        if stream.unsentBytes > 0 { session?.submitReset(stream, .cancel) }
    }

    func session(closed stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        let call = unsafeDowncast(stream, to: ClientCall.self)
        // It may have been the one to introduce names. To introduce one twice does no harm.
        if call.wasNeverSent { names = IntroducedNames() }
        memory.release(call.heldBytes)
        call.heldBytes = 0
        var outcome = call.response.outcome(code, hasEnded: call.hasPeerEnded, wasNeverSent: call.wasNeverSent)
        if !outcome.isTransportFailure { hasAnswered = true }
        // A call above the last stream of the GOAWAY, or one that was not written before the connection ended.
        if isDraining, outcome.wasNeverProcessed { outcome.isConnectionLoss = true }
        owner?.connection(self, ended: call, outcome)
        if isDraining { transport?.scheduleFlush() }
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
}
