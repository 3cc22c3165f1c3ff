import Logging
import NIOCore
import Synchronization
import Traces
import Tracing

/// From a complete request to its answer.
extension ServerConnection {
    /// Of a status message on the wire; peers take 8 KiB of trailers, all in all.
    private static let statusMessageBytesMax = 4 * 1024
    /// Bytes counted for a call in addition to its message: stream, metadata, task.
    private static let callBytes = 1024

    func sessionOpensStream() -> HTTP2Stream? {
        // A handler that goes on after its caller left still counts, so that resets can't pile up work.
        guard running < shared.configuration.streamsMax else { return nil }
        idleSince.store(Self.isBusy, ordering: .relaxed)
        return ServerStream(openedAtTick: keepalive.ticks)
    }

    func session(received name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, on stream: HTTP2Stream) {
        unsafeDowncast(stream, to: ServerStream.self).receive(
            name, value, routes: shared.routes, bytesMax: shared.configuration.headerListBytesMax)
    }

    func sessionReceivedHeaders(on stream: HTTP2Stream) {
        let stream = unsafeDowncast(stream, to: ServerStream.self)
        if stream.hasHeaders { return }
        stream.checkHeaders()
        hold(Self.callBytes + stream.headerBytes, stream)
        if !stream.deadline.isNever { timers?.arm(stream.deadline.instant) }
    }

    func session(received data: UnsafeRawBufferPointer, on stream: HTTP2Stream) {
        let stream = unsafeDowncast(stream, to: ServerStream.self)
        guard !stream.isAnswered else { return }
        if stream.rejection == nil {
            let before = stream.reader.message.count
            let heldBefore = stream.reader.heldBytes
            do {
                try stream.reader.append(data, bytesMax: shared.configuration.messageBytesMax)
            } catch {
                stream.reject(.status(status(of: error, on: stream)))
            }
            pendingRequestBytes += stream.reader.message.count - before
            if pendingRequestBytes > shared.configuration.bufferedRequestBytesMax {
                stream.reject(.status(Status(.resourceExhausted, "too many request bytes wait on this connection")))
            }
            hold(stream.reader.heldBytes - heldBefore, stream)
        }
        if let rejection = stream.rejection { answer(stream, rejection) }
    }

    func sessionReceivedEnd(on stream: HTTP2Stream) {
        let stream = unsafeDowncast(stream, to: ServerStream.self)
        guard !stream.isAnswered else { return }
        if let rejection = stream.rejection {
            answer(stream, rejection)
        } else if stream.reader.isComplete, let route = stream.route {
            run(stream, route)
        } else if stream.reader.isEmpty {
            answer(stream, .status(Status(.unimplemented, "a unary call carries one message, this one none")))
        } else {
            answer(stream, .status(Status(.internal, "the request's message is cut short")))
        }
    }

    func session(closed stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        let stream = unsafeDowncast(stream, to: ServerStream.self)
        releaseRequestBytes(stream)
        if stream.endsWithStatusOK { pendingResponseBytes -= stream.outgoingCount }
        responseMemory.release(stream.responseMemory)
        stream.responseMemory = 0
        if !stream.isAnswered { stream.task?.cancel() }
        stream.dropOutgoing()
        if session?.streams.isEmpty == true { becameIdle() }
        if case .draining? = transport?.drainState { transport?.scheduleFlush() }
    }

    func session(received frame: HTTP2ControlFrame) {
        switch frame {
        case .pingAcknowledged(let payload): transport?.receivedPing(payload: payload)
        case .settings: isGreeted = true
        case .goAway, .reset: break
        }
    }

    private func releaseRequestBytes(_ stream: ServerStream) {
        pendingRequestBytes -= stream.reader.message.count
        stream.reader = MessageReader()
        if !stream.isHandled { releaseMemory(stream) }
    }

    /// Counts memory for a request as it arrives. Without room the call is answered at once, and its connection goes
    /// on.
    private func hold(_ bytes: Int, _ stream: ServerStream) {
        if requestMemory.take(bytes) {
            stream.requestMemory += bytes
        } else {
            stream.reject(.status(.outOfMemory))
        }
    }

    private func releaseMemory(_ stream: ServerStream) {
        requestMemory.release(stream.requestMemory)
        stream.requestMemory = 0
    }

    private func status(of failure: MessageReader.Failure, on stream: ServerStream) -> Status {
        switch failure {
        // Source: gRPC over HTTP/2, "Compression": the flag without an encoding is the caller's mistake, not a missing
        // feature.
        case .compressed where stream.encoding == nil:
            Status(.internal, "the message is compressed, but grpc-encoding names no compression")
        case .compressed:
            Status(
                .unimplemented, "compression \(stream.encoding ?? "unknown") is not supported",
                metadata: ["grpc-accept-encoding": "identity"])
        case .tooLarge(let bytes):
            Status(
                .resourceExhausted,
                "a message of \(bytes) bytes is larger than \(shared.configuration.messageBytesMax)")
        case .moreThanOne: Status(.unimplemented, "a unary call carries one message, this one more")
        case .malformedPrefix: Status(.internal, "the message's prefix is malformed")
        }
    }

    // MARK: The handler

    private func run(_ stream: ServerStream, _ route: ServerRoute) {
        guard let executor else { return }
        let now = NIODeadline.now()
        let isTaken =
            route.isAlwaysAnswered || shared.running.begin(running: running) { shared.connections.count }
        guard isTaken else {
            answer(stream, .status(RunningCalls.overloaded))
            return
        }
        running += 1
        stream.isHandled = true
        let trace = callBegan(stream, route, now: now)
        let context = RequestContext(
            path: route.path, metadata: stream.metadata, deadline: stream.deadline, peer: peer, trace: trace)
        pendingRequestBytes -= stream.reader.message.count
        let bytes = stream.reader.take()
        if stream.deadline.instant <= now {
            finish(stream, .failure(Status(.deadlineExceeded, "the deadline has passed")))
            return
        }
        // Runs at once, inside the read, until the handler first waits; after that on this loop again.
        let span = stream.span
        let memory = shared.configuration.memory
        stream.task = Task.immediate(executorPreference: executor) {
            let outcome: Result<FramedMessage, any Error>
            do {
                if let span {
                    outcome = .success(
                        try await ServiceContext.$current.withValue(span.context) {
                            try await route.invoke(bytes, context, memory)
                        })
                } else {
                    outcome = .success(try await route.invoke(bytes, context, memory))
                }
            } catch {
                outcome = .failure(error)
            }
            self.finish(stream, outcome)
        }
    }

    private func finish(_ stream: ServerStream, _ outcome: Result<FramedMessage, any Error>) {
        executor?.eventLoop.assertInEventLoop()
        running -= 1
        if stream.route?.isAlwaysAnswered == false { shared.running.end() }
        stream.task = nil
        stream.isHandled = false
        releaseMemory(stream)
        var code = Status.Code.ok
        switch outcome {
        case .success(let message):
            if !stream.isOpen || stream.isAnswered {
                // Its caller has left, or it is answered already.
            } else if let status = limitExceeded(by: message) {
                code = status.code
                answer(stream, .status(status))
            } else {
                stream.isAnswered = true
                stream.responseMemory = message.framed.count
                pendingResponseBytes += message.framed.count
                session?.submitOK(stream, message: message.framed)
                transport?.scheduleFlush()
            }
        case .failure(let error):
            let status = Status(error)
            code = status.code
            if !Status.isExpected(error) {
                shared.logger.error(
                    "handler failed",
                    metadata: ["path": "\(stream.route?.path ?? "")", "error": "\(error)"])
            }
            answer(stream, .status(status))
        }
        callEnded(stream, code)
    }

    /// The error of an answer that exceeds a limit; `nil` for one that may be sent, whose memory is then taken.
    private func limitExceeded(by message: FramedMessage) -> Status? {
        if message.count > shared.configuration.messageBytesMax {
            return Status(.resourceExhausted, "the answer is larger than \(shared.configuration.messageBytesMax) bytes")
        }
        // One answer always fits, however small the bound is.
        if pendingResponseBytes > 0,
            pendingResponseBytes + message.count > shared.configuration.bufferedResponseBytesMax
        {
            return Status(.resourceExhausted, "too many answers wait to be read on this connection")
        }
        // Counts the answer, if there is room; released when the stream closes.
        return responseMemory.take(message.framed.count) ? nil : .outOfMemory
    }

    /// Ends calls whose deadline has passed; answers the next deadline.
    func expireCalls(_ now: NIODeadline) -> NIODeadline? {
        guard let session else { return nil }
        var next = NIODeadline.distantFuture
        for stream in session.streams {
            let stream = unsafeDowncast(stream, to: ServerStream.self)
            guard !stream.isAnswered, !stream.deadline.isNever else { continue }
            if stream.deadline.instant <= now {
                answer(stream, .status(Status(.deadlineExceeded, "the deadline has passed")))
                stream.task?.cancel()
            } else {
                next = min(next, stream.deadline.instant)
            }
        }
        return next == .distantFuture ? nil : next
    }

    // MARK: Answers without a message

    func answer(_ stream: ServerStream, _ rejection: ServerStream.Rejection) {
        guard let session, stream.isOpen, !stream.isAnswered else { return }
        stream.isAnswered = true
        callRejected(stream, rejection)
        releaseRequestBytes(stream)
        session.submitHeadersOnly(stream) { fields in
            switch rejection {
            case .http(let code):
                fields.add(":status", code)
            case .status(let status):
                stream.statusOnWire = status.code
                fields.add(":status", "200")
                fields.add("content-type", "application/grpc")
                fields.add("grpc-status", String(status.code.rawValue))
                if !status.message.isEmpty {
                    fields.add(
                        "grpc-message",
                        PercentEncoding.encode(message: status.message, bytesMax: Self.statusMessageBytesMax),
                        neverIndexed: true)
                }
                if let details = ErrorDetail.trailerValue(of: status) {
                    fields.add("\(ErrorDetail.trailer)", details, neverIndexed: true)
                }
                for (name, value) in status.metadata { fields.add(name, value, neverIndexed: true) }
            }
        }
        transport?.resetOnceAnswered(stream)
        transport?.scheduleFlush()
    }
}

/// Tells of each call, once that it began and once how it ended: its span and its method's observer.
extension ServerConnection {
    /// The handler is about to run. The call gets its place in its trace, and its span begins if it is recorded: handlers
    /// and logs see in the metadata where it stands, and pass that on.
    ///
    /// - Returns: `nil` where calls are not traced.
    private func callBegan(_ stream: ServerStream, _ route: ServerRoute, now: NIODeadline) -> TraceParent? {
        stream.startedAt = now
        route.observer?.callBegan()
        guard let tracer = shared.configuration.tracer, route.isTraced else { return nil }
        stream.metadata.mergeTrace()
        let decision = tracer.decide(stream.metadata["traceparent"], stream.metadata["tracestate"])
        if !decision.isUnchanged { stream.metadata.set(decision.identity, state: decision.state) }
        if decision.isRecorded {
            let span = tracer.begin(decision, route.name, kind: .server)
            span.set("rpc.system.name", "grpc")
            span.set("rpc.method", .string(route.name))
            if let address = transport?.context?.remoteAddress, let host = address.ipAddress {
                span.set("client.address", .string(host))
                if let port = address.port { span.set("client.port", .int64(Int64(port))) }
            }
            stream.span = span
        }
        return decision.identity
    }

    /// The handler has ended. A call that was answered before (deadline, cancelled) counts as what its caller saw.
    private func callEnded(_ stream: ServerStream, _ code: Status.Code) {
        let code = stream.statusOnWire ?? code
        stream.span?.endServer(code)
        guard let observer = stream.route?.observer, let began = stream.startedAt else { return }
        observer.callEnded(code, metadata: stream.metadata, peer: peer, began: began, ended: .now())
    }

    /// The call is rejected before any handler ran. All unknown methods share one label, which bounds the number of
    /// series; requests that are not gRPC are not counted.
    private func callRejected(_ stream: ServerStream, _ rejection: ServerStream.Rejection) {
        guard stream.startedAt == nil, case .status(let status) = rejection,
            let observer = (stream.route ?? shared.unknownRoute).observer
        else { return }
        let now = NIODeadline.now()
        observer.callBegan()
        observer.callEnded(status.code, metadata: stream.metadata, peer: peer, began: now, ended: now)
    }
}
