import Logging
import NIOCore
import RPC

/// One HTTP/2 connection of an HTTP server: many requests at a time, each a stream.
///
/// `@unchecked Sendable`: the responders' tasks capture it. All state is touched on the channel's event loop only: the
/// channel initializer makes it there; its transport and its ``LoopContext``, which asserts it, call it there; a task begins
/// there, and its executor preference brings it back there after the responder (asserted in `run(_:)`).
final class HTTP2ServerConnection: ServedConnection, @unchecked Sendable {
    /// Requests at a time on one connection.
    private static let streamsMax = 100
    /// Bytes counted for a session, in addition to what every connection takes.
    private static let sessionBytes = 10 * 1024
    /// Bytes counted for a request in addition to its header fields and body, and for an answer in addition to its
    /// body.
    private static let requestBytes = 1024
    private static let responseBytes = 512
    /// Body bytes of unfinished requests on one connection; what comes beyond is rejected.
    private static let pendingBytesMax = 8 * 1024 * 1024

    private let loop: LoopContext
    /// Set at creation, by ``make(_:)``; `nil` once the channel is gone.
    private var transport: HTTP2Transport?
    private var peer = ""
    private var running = 0
    private var pendingBytes = 0
    private var isDraining = false
    private var use: UInt64 = 0
    private let openedAt = NIODeadline.now()
    private var watch = StallWatch()
    /// Memory of the session, held as long as the connection.
    private var sessionMemory: MemoryReservation?
    private var requestMemory: MemoryAccount
    private var responseMemory: MemoryAccount
    /// How fast the peer reads from the socket.
    private var socketProgress = ProgressWatch()
    private var throughput = Throughput()
    /// Answers and reads so far, for the watch.
    private var progress = 0

    private init(_ loop: LoopContext) {
        self.loop = loop
        requestMemory = MemoryAccount(.requests, of: loop.configuration.memory)
        responseMemory = MemoryAccount(.responses, of: loop.configuration.memory)
    }

    /// The channel handler of a new connection, which owns the connection.
    ///
    /// - Throws: ``HTTP2SessionError/outOfMemory`` when no memory is left for it.
    static func make(_ loop: LoopContext) throws -> (HTTP2ServerConnection, HTTP2Transport) {
        guard let memory = MemoryReservation(sessionBytes, .connections, of: loop.configuration.memory) else {
            throw HTTP2SessionError.outOfMemory
        }
        var settings = HTTP2Session.Settings()
        settings.concurrentStreamsMax = UInt32(streamsMax)
        settings.headerListBytesMax = UInt32(clamping: loop.configuration.headerBytesMax)
        let connection = HTTP2ServerConnection(loop)
        let transport = HTTP2Transport(.server, settings, owner: connection)
        connection.transport = transport
        connection.sessionMemory = memory
        return (connection, transport)
    }

    // MARK: As the loop sees it

    func drain() {
        isDraining = true
        transport?.beginDrain()
    }

    /// A GOAWAY has told the peer to send no further request.
    func endIdle() {}

    func abort() {
        transport?.abort()
    }

    func evict() {
        // One GOAWAY, not the two of a graceful shutdown: the peer learns that requests on their way were not
        // processed.
        transport?.session?.submitGoAway(.noError)
        transport?.flush()
        abort()
    }

    var evictionOrder: UInt64? {
        // Where bytes are unsent, the peer still reads an answer.
        guard !isDraining, let transport, let session = transport.session, transport.bufferedBytes == 0 else {
            return nil
        }
        if session.streams.isEmpty { return use }
        let isPartial = session.streams.allSatisfy {
            !$0.hasPeerEnded && !unsafeDowncast($0, to: HTTP2RequestStream.self).isAnswered
        }
        return isPartial && openedAt.hasPassed(loop.configuration.newcomerGrace) ? use + Self.partialRequest : nil
    }

    func checkTimeouts(now: NIODeadline) {
        guard let transport, let session = transport.session else { return }
        let rate = loop.configuration.answerRate
        let buffered = transport.bufferedBytes
        let taken = transport.writtenBytes - buffered
        if socketProgress.isLate(bytesLeft: buffered, taken: taken, now: now, rate: rate) { return abort() }
        let isMoving = throughput.isMoving(session.streams, written: taken, now: now, rate: rate)
        for stream in session.streams {
            let stream = unsafeDowncast(stream, to: HTTP2RequestStream.self)
            let isSlow = stream.progress.isLate(
                bytesLeft: stream.unsentBytes, taken: stream.sentBytes, now: now, rate: rate)
            if isSlow, !isMoving || session.isBlocked(stream) {
                session.submitReset(stream, .cancel)
                transport.scheduleFlush()
            }
            decline(stream, now: now, transport)
            let isLate = now - stream.openedAt >= TimeAmount(loop.configuration.requestTimeout)
            if !stream.hasPeerEnded, !stream.isAnswered, isLate { reject(stream, .timeout) }
        }
        if transport.hasRead { progress += 1 }
        transport.hasRead = false
        let wait: StallWatch.Wait = session.streams.isEmpty && buffered == 0 ? .idle : .responder
        let elapsed = watch.elapsed(wait, progress: progress, now: now)
        guard wait == .idle else { return }
        transport.releaseSpareMemory()
        if elapsed >= TimeAmount(loop.configuration.idleTimeout) { drain() }
    }

    /// Resets a stream that was answered before its request was complete, if the peer still sends. Some clients treat a
    /// reset that comes together with the answer as a failure, so it is sent some time after it.
    private func decline(_ stream: HTTP2RequestStream, now: NIODeadline, _ transport: HTTP2Transport) {
        guard let answeredAt = stream.answeredAt, now - answeredAt >= TimeAmount(loop.configuration.http2EndTimeout)
        else {
            return
        }
        stream.answeredAt = nil
        transport.resetOnceAnswered(stream)
        transport.scheduleFlush()
    }

    // MARK: Requests and answers

    private func run(_ stream: HTTP2RequestStream) {
        guard let request = stream.takeRequest() else { return reject(stream, .malformed) }
        running += 1
        stream.isRunning = true
        let responder = loop.responder
        stream.task = Task.immediate(executorPreference: loop.executor) {
            let response = await responder.respond(to: request)
            self.loop.eventLoop.assertInEventLoop()
            self.running -= 1
            stream.task = nil
            stream.isRunning = false
            self.releaseRequest(stream)
            self.answer(stream, response)
        }
    }

    private func reject(_ stream: HTTP2RequestStream, _ rejection: HTTPRejection) {
        releaseRequest(stream)
        answer(stream, loop.responder.respond(rejecting: rejection))
    }

    /// Counts memory for a request as it arrives; false when there is no room.
    private func hold(_ bytes: Int, _ stream: HTTP2RequestStream) -> Bool {
        guard requestMemory.take(bytes) else { return false }
        stream.requestMemory += bytes
        return true
    }

    /// Releases the memory of a request that is answered or whose caller has left.
    private func releaseRequest(_ stream: HTTP2RequestStream) {
        guard !stream.isRunning else { return }
        pendingBytes -= stream.body.readableBytes
        stream.dropBody()
        requestMemory.release(stream.requestMemory)
        stream.requestMemory = 0
    }

    /// The response, once memory is taken for it; a rejection when there is none.
    private func reserveMemory(for response: HTTPResponse, _ stream: HTTP2RequestStream) -> HTTPResponse {
        stream.reservation = response.memory
        let isCounted = response.memory == nil && !response.isBodyShared
        let bytes = Self.responseBytes + (isCounted ? response.body.readableBytes : 0)
        var response = response
        if responseMemory.take(bytes) {
            stream.responseMemory = bytes
        } else {
            response = loop.responder.respond(rejecting: .outOfMemory)
            stream.reservation = nil
            stream.responseMemory = Self.responseBytes + response.body.readableBytes
            responseMemory.takeUnchecked(stream.responseMemory)
        }
        return response
    }

    private func answer(_ stream: HTTP2RequestStream, _ response: HTTPResponse) {
        guard let transport, let session = transport.session, stream.isOpen, !stream.isAnswered else { return }
        stream.isAnswered = true
        progress += 1
        let response = reserveMemory(for: response, stream)
        use = loop.nextUse()
        let hasBody = !stream.isHead && response.body.readableBytes > 0
        let date = loop.dateText
        let fill = { (fields: inout HeaderList) in
            fields.add(":status", String(response.status.code))
            Self.add(response.headers, to: &fields)
            if let shared = response.shared { Self.add(shared.fields, to: &fields) }
            // RFC 9110 section 8.6, as over HTTP/1.
            if response.status != .noContent, response.status != .notModified {
                fields.add("content-length", String(response.body.readableBytes), neverIndexed: true)
            }
            fields.add("date", date)
        }
        if hasBody {
            session.submitResponse(stream, body: response.body, fill)
        } else {
            session.submitHeadersOnly(stream, fill)
        }
        if !stream.hasPeerEnded { stream.answeredAt = .now() }
        transport.scheduleFlush()
    }

    /// Adds fields, but for those that the server says itself, and that speak of the connection (RFC 9113 section 8.2.2).
    private static func add(_ fields: HTTPFields, to list: inout HeaderList) {
        fields.forEachField { name, value in
            guard HTTPFields.Name(name)?.isSetByServer != true else { return }
            list.add(name, value)
        }
    }
}

// MARK: - What the session says

extension HTTP2ServerConnection: HTTP2TransportOwner {
    func sessionOpensStream() -> HTTP2Stream? {
        running < Self.streamsMax ? HTTP2RequestStream() : nil
    }

    func session(received name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, on stream: HTTP2Stream) {
        let stream = unsafeDowncast(stream, to: HTTP2RequestStream.self)
        if stream.rejection == nil { stream.receive(name, value, loop.configuration) }
    }

    func sessionReceivedHeaders(on stream: HTTP2Stream) {
        let stream = unsafeDowncast(stream, to: HTTP2RequestStream.self)
        let isFirst = !stream.hasHeaders
        stream.receivedHeaders(peer: peer, loop.configuration)
        guard !stream.isAnswered else { return }
        if let rejection = stream.rejection {
            reject(stream, rejection)
        } else if isFirst, !hold(Self.requestBytes + stream.headerBytes, stream) {
            reject(stream, .outOfMemory)
        } else if isFirst, stream.expectsContinue, !stream.hasPeerEnded {
            transport?.session?.submitContinue(stream)
        }
    }

    func session(received data: UnsafeRawBufferPointer, on stream: HTTP2Stream) {
        let stream = unsafeDowncast(stream, to: HTTP2RequestStream.self)
        guard !stream.isAnswered else { return }
        let before = stream.body.readableBytes
        let heldBefore = stream.body.capacity
        stream.receive(data, loop.configuration)
        pendingBytes += stream.body.readableBytes - before
        let grown = stream.body.capacity - heldBefore
        if pendingBytes > Self.pendingBytesMax || (grown > 0 && !hold(grown, stream)) {
            stream.rejection = stream.rejection ?? .outOfMemory
        }
        if let rejection = stream.rejection { reject(stream, rejection) }
    }

    func sessionReceivedEnd(on stream: HTTP2Stream) {
        let stream = unsafeDowncast(stream, to: HTTP2RequestStream.self)
        guard !stream.isAnswered else { return }
        if let rejection = stream.rejection { reject(stream, rejection) } else { run(stream) }
    }

    func session(closed stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        let stream = unsafeDowncast(stream, to: HTTP2RequestStream.self)
        releaseRequest(stream)
        responseMemory.release(stream.responseMemory)
        stream.responseMemory = 0
        stream.reservation = nil
        stream.dropOutgoing()
        stream.task?.cancel()
        transport?.scheduleFlush()
    }

    func session(received frame: HTTP2ControlFrame) {
        if case .pingAcknowledged(let payload) = frame { transport?.receivedPing(payload: payload) }
    }

    func transportBegan(_ session: HTTP2Session, _ context: ChannelHandlerContext) {
        peer = context.peerText
        use = loop.nextUse()
        if isDraining { transport?.beginDrain() }
    }

    func transportFinished(_ context: ChannelHandlerContext) {
        transport?.isClosing = true
        let channel = context.channel
        let timeout = TimeAmount(loop.configuration.http2EndTimeout)
        context.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
    }

    func transportFailed(_ error: any Error) {
        loop.logger.debug("connection failed", metadata: ["peer": "\(peer)", "error": "\(error)"])
    }

    func transportEnded(_ streams: [HTTP2Stream]) {
        for stream in streams { unsafeDowncast(stream, to: HTTP2RequestStream.self).task?.cancel() }
        transport = nil
        loop.remove(self)
    }
}
