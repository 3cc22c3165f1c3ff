import Logging
import NIOCore
import NIOSSL
import RPC

/// One connection: reads requests from its bytes, runs the responder on the event loop, writes the answers.
///
/// What happens when is ``ConnectionState``'s decision; this handler carries it out.
///
/// `@unchecked Sendable`: everything that changes is touched on the channel's event loop only. NIO calls handlers there, and
/// so does ``LoopContext``, which asserts it. The responder's task starts there, and its executor preference brings it back
/// there before it touches anything here (asserted in `begin(_:isHTTP10:)`).
final class HTTPServerConnection: ChannelDuplexHandler, ServedConnection, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let loop: LoopContext
    var state: ConnectionState
    var context: ChannelHandlerContext?
    private(set) var peer = ""
    private var parser: HTTP1Parser
    /// What was received and not parsed yet: at most an incomplete head, or a line of a chunked body.
    private var received = ByteBuffer()
    /// The channel wanted to read when the queue was not empty.
    private var isReadHeld = false
    private var isPumping = false
    /// Answers per connection and turn of the loop: one read may hold thousands of pipelined requests, and other
    /// connections wait meanwhile.
    private static let answersPerTurnMax = 64
    var answersThisTurn = 0
    var isTurnScheduled = false
    var isLingering = false
    /// When a peer that goes on sending is cut off.
    var lingerEnd: NIODeadline?
    /// Reads that were thrown away.
    private(set) var discardedReads = 0
    /// Responses of this turn that the channel does not have yet.
    private var output: ByteBuffer?
    /// Something was written to the channel without a flush.
    private var needsFlush = false
    private var task: Task<Void, Never>?
    var watch = StallWatch()
    /// Tells whether the peer reads its answers.
    var answerProgress = ProgressWatch()
    /// Bytes handed to the channel since the beginning.
    private(set) var writtenBytes = 0
    /// Bytes of bodies that were handed over whole and are not completely sent yet.
    private(set) var largeBodyBytes = 0
    /// Part of ``writtenBytes`` at the last look at what is unsent.
    var countedBytes = 0
    /// Whether no further answer is made until the peer has taken those that it has.
    var isOutputHeld = false
    var requestMemory: MemoryAccount
    var responseMemory: MemoryAccount
    private(set) var use: UInt64 = 0
    let openedAt = NIODeadline.now()

    init(loop: LoopContext) {
        self.loop = loop
        parser = HTTP1Parser(
            limits: .init(
                headBytesMax: loop.configuration.headerBytesMax, fieldsMax: loop.configuration.headerFieldsMax))
        requestMemory = MemoryAccount(.requests, of: loop.configuration.memory)
        responseMemory = MemoryAccount(.responses, of: loop.configuration.memory)
        self.state = ConnectionState(
            bodyBytesMax: loop.configuration.bodyBytesMax, turnsMax: loop.configuration.pipelinedRequestsMax)
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        use = loop.nextUse()
        if context.channel.isActive { connected(context) }
        // `drain()` and `endIdle()` may have been called before there was a channel.
        if state.isDraining { pump() }
    }

    func channelActive(context: ChannelHandlerContext) {
        connected(context)
        context.fireChannelActive()
    }

    private func connected(_ context: ChannelHandlerContext) {
        peer = context.peerText
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        ended()
    }

    private func ended() {
        guard context != nil else { return }
        context = nil
        output = nil
        received = ByteBuffer()
        task?.cancel()
        task = nil
        loop.remove(self)
    }

    func drain() {
        state.drain()
        pump()
    }

    func endIdle() {
        if isLingering { return abort() }
        state.endIdle()
        pump()
    }

    /// Closes now, whatever is in progress.
    func abort() {
        context?.abort()
    }

    // MARK: Input

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isLingering else {
            discardedReads &+= 1
            return
        }
        var bytes = unwrapInboundIn(data)
        if received.readableBytes == 0 {
            received = bytes
        } else {
            // The requests before it in the buffer go; the beginning of this one stays.
            received.discardReadBytes()
            received.writeBuffer(&bytes)
        }
        let wasReceiving = state.isReceiving
        parse()
        if state.isReceiving, !wasReceiving { use = loop.nextUse() }
    }

    /// A larger buffer is not kept for a small part of it.
    private static let unparsedBufferMax = 16 * 1024

    private func parse() {
        while state.acceptsInput {
            switch parser.next(&received) {
            case .head(let head): state.received(head: head, peer: peer)
            case .body(var body): state.received(body: &body)
            case .end: state.receivedEnd()
            case .rejection(let rejection): state.reject(rejection, toHead: isReadingHEAD)
            case .needsBytes:
                if isWithinRequest { state.receivedBytes() }
                keepUnparsed()
                return
            }
        }
        // Whatever follows the last request is thrown away.
        dropUnparsed()
    }

    /// Keeps what is not parsed yet, in a buffer that suits it.
    private func keepUnparsed() {
        guard received.readableBytes > 0 else { return dropUnparsed() }
        if received.storageCapacity > Self.unparsedBufferMax, received.readableBytes < received.storageCapacity / 2 {
            received = ByteBuffer(bytes: received.readableBytesView)
        }
        state.unparsedBytes = received.storageCapacity
    }

    func dropUnparsed() {
        received = ByteBuffer()
        state.unparsedBytes = 0
    }

    /// Whether the peer has sent a request in part.
    var isWithinRequest: Bool { parser.isWithinRequest(received) }

    /// Whether what the peer has sent in part is a HEAD request.
    var isReadingHEAD: Bool { parser.isReadingHEAD }

    func channelReadComplete(context: ChannelHandlerContext) {
        if !isTurnScheduled { answersThisTurn = 0 }
        holdRequests()
        pump()
    }

    /// The channel asks before each read. While requests wait for their turn, or answers for a slow reader, it has to
    /// wait too, and TCP makes the peer wait.
    func read(context: ChannelHandlerContext) {
        if mayRead(context) {
            context.read()
        } else {
            isReadHeld = true
        }
    }

    private func mayRead(_ context: ChannelHandlerContext) -> Bool {
        isLingering || (state.wantsInput && !isOutputHeld && context.channel.isWritable)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { pump() }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Output

    /// Does what is to do until it has to wait, then writes all answers at once.
    func pump() {
        // A responder that answers without waiting comes back here from within; the loop below goes on for it.
        guard !isPumping, context != nil else { return }
        isPumping = true
        defer { isPumping = false }
        while let context {
            guard answersThisTurn < Self.answersPerTurnMax else {
                flush(context)
                return scheduleTurn(context)
            }
            guard context.channel.isWritable else {
                flush(context)
                // The socket may have taken everything at once. What NIO said about it came while this loop ran, and
                // was not heard.
                if self.context != nil, context.channel.isWritable { continue }
                return
            }
            guard !mustWaitForReader(context) else { return }
            switch state.next() {
            case .wait:
                flush(context)
                if isReadHeld, mayRead(context) {
                    isReadHeld = false
                    context.read()
                }
                return
            case .sendContinue:
                withOutput { buffer in _ = buffer.writeStaticString(ResponseWriter.continueLine) }
            case .answer(let request, let isHTTP10):
                begin(request, isHTTP10: isHTTP10)
            case .reject(let rejection, let toHead):
                write(loop.responder.respond(rejecting: rejection), toHead: toHead, isHTTP10: false)
            case .finish:
                finish(context, linger: true)
                return
            case .close:
                finish(context, linger: false)
                return
            }
            if let output, output.readableBytes >= loop.configuration.bufferedResponseBytesMax { flush(context) }
        }
    }

    private func begin(_ request: HTTPRequest, isHTTP10: Bool) {
        answersThisTurn += 1
        let responder = loop.responder
        let toHead = request.method == .HEAD
        // Runs here and now until it first waits; afterwards the executor brings it back to this loop.
        let task = Task.immediate(executorPreference: loop.executor) {
            let response = await responder.respond(to: request)
            self.loop.eventLoop.assertInEventLoop()
            self.task = nil
            self.write(response, toHead: toHead, isHTTP10: isHTTP10)
            self.pump()
        }
        if state.isAnswering { self.task = task }
    }

    private func write(_ response: HTTPResponse, toHead: Bool, isHTTP10: Bool) {
        // The connection may have ended while the responder worked.
        guard let context else { return }
        use = loop.nextUse()
        let response = reserveMemory(for: response)
        let persistence: ResponseWriter.Persistence =
            state.answered() ? (isHTTP10 ? .keepAlive : .implied) : .close
        let date = loop.dateText
        let body = withOutput { buffer in
            ResponseWriter.write(response, toHead: toHead, persistence: persistence, date: date, into: &buffer)
        }
        requestMemory.resizeUnchecked(to: state.heldBytes)
        if let body { write(body, response.memory, context) }
    }

    /// Writes a large body; holds its memory until it is sent.
    private func write(_ body: ByteBuffer, _ memory: MemoryReservation?, _ context: ChannelHandlerContext) {
        handOver(context, promise: nil)
        let count = body.readableBytes
        largeBodyBytes += count
        writtenBytes += count
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.whenComplete { _ in
            self.largeBodyBytes -= count
            withExtendedLifetime(memory) {}
        }
        context.write(wrapOutboundOut(body), promise: sent)
        needsFlush = true
    }

    private func withOutput<R>(_ body: (inout ByteBuffer) -> R) -> R {
        // Moved out and back so that the buffer has one owner while it grows.
        var buffer = output ?? loop.takeBuffer()
        output = nil
        defer { output = buffer }
        return body(&buffer)
    }

    private func handOver(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        guard let buffer = output else {
            promise?.succeed()
            return
        }
        output = nil
        needsFlush = true
        writtenBytes += buffer.readableBytes
        context.write(wrapOutboundOut(buffer), promise: promise)
        loop.returnBuffer(buffer)
    }

    func flush(_ context: ChannelHandlerContext) {
        handOver(context, promise: nil)
        guard needsFlush else { return }
        needsFlush = false
        context.flush()
        // Asking the channel costs more than a small answer, so it is not asked each time.
        if responseMemory.used > 0 || writtenBytes - countedBytes >= MemoryAccount.freeBytes {
            countUnsent(context.unsentBytes)
        }
    }

    /// Closes once everything written has left: the sending side, and the rest when the peer has closed too.
    private func finish(_ context: ChannelHandlerContext, linger: Bool) {
        isLingering = true
        dropUnparsed()
        requestMemory.resizeUnchecked(to: state.heldBytes)
        let written = context.eventLoop.makePromise(of: Void.self)
        if output == nil { output = ByteBuffer() }
        handOver(context, promise: written)
        needsFlush = false
        context.flush()
        let channel = context.channel
        written.futureResult.whenComplete { _ in
            channel.close(mode: linger && !self.state.hasPeerEnded ? .output : .all, promise: nil)
        }
        if isReadHeld {
            isReadHeld = false
            context.read()
        }
    }
}

extension HTTPServerConnection {
    /// Called by the loop's timer.
    func checkTimeouts(now: NIODeadline) {
        guard let context else { return }
        let limits = loop.configuration
        let bytesLeft = context.unsentBytes
        countUnsent(bytesLeft)
        let taken = writtenBytes - bytesLeft
        if answerProgress.isLate(bytesLeft: bytesLeft, taken: taken, now: now, rate: limits.answerRate) {
            return abort()
        }
        let wait: StallWatch.Wait
        let limit: Duration?
        if bytesLeft > 0 {
            return
        } else if isLingering {
            (wait, limit) = (.linger, limits.lingerTimeout)
            let longest = now + TimeAmount(state.isDraining ? limits.lingerTimeout : limits.lingerTimeMax)
            let end = min(lingerEnd ?? longest, longest)
            lingerEnd = end
            if now >= end { return abort() }
        } else if state.isAnswering {
            (wait, limit) =
                state.hasPeerEnded ? (.responderHalfClosed, limits.halfClosedTimeout) : (.responder, nil)
        } else if state.isReceiving {
            (wait, limit) = (.request, limits.requestTimeout)
        } else {
            (wait, limit) = (.idle, limits.idleTimeout)
        }
        let elapsed = watch.elapsed(wait, progress: isLingering ? discardedReads : state.progress, now: now)
        guard let limit, elapsed >= TimeAmount(limit) else { return }
        switch wait {
        case .request:
            state.reject(.timeout, toHead: isReadingHEAD)
            pump()
        case .idle:
            // The peer is well, so TLS may say farewell.
            context.close(promise: nil)
        case .responder, .responderHalfClosed, .linger:
            abort()
        }
    }
}

/// Events that end a connection or its input.
extension HTTPServerConnection {
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOSSLError.uncleanShutdown:
            // The peer closed without close_notify; the end of input follows as an event. A request that was cut off by
            // it is incomplete by its own length.
            break
        default:
            loop.logger.debug("connection failed", metadata: ["peer": "\(peer)", "error": "\(error)"])
            abort()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            // What was sent in part is no request.
            if isWithinRequest { state.reject(.malformed, toHead: isReadingHEAD) }
            state.inputEnded()
            if isLingering {
                context.close(promise: nil)
            } else {
                pump()
            }
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func evict() {
        abort()
    }

    var evictionOrder: UInt64? {
        guard state.isIdle || isLingering || state.hasOnlyPartialRequest, let context, context.unsentBytes == 0
        else { return nil }
        // A peer that is only heard out has its answer, and goes first.
        if isLingering { return 0 }
        if state.isIdle { return use }
        return openedAt.hasPassed(loop.configuration.newcomerGrace) ? use + Self.partialRequest : nil
    }
}
