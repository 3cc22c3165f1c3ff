import NIOCore
import RPC

/// Memory that a connection holds for its peer, and its turns on the event loop.
extension HTTPServerConnection {
    /// Continues after other connections have had their turns.
    func scheduleTurn(_ context: ChannelHandlerContext) {
        guard !isTurnScheduled else { return }
        isTurnScheduled = true
        context.eventLoop.execute {
            self.isTurnScheduled = false
            self.answersThisTurn = 0
            self.pump()
        }
    }

    /// Counts memory for what was received; rejects the newest request when there is none.
    func holdRequests() {
        guard !requestMemory.resize(to: state.heldBytes) else { return }
        state.rejectNewest(partialIsHead: isReadingHEAD)
        if !state.acceptsInput { dropUnparsed() }
        requestMemory.resizeUnchecked(to: state.heldBytes)
    }

    /// Whether the budget has no room for what one more slow reader leaves unread.
    private var isResponseMemoryFull: Bool {
        let memory = loop.configuration.memory
        return memory.usedBytes(.responses) > memory.bytesMax(.responses) - MemoryAccount.smallBytesMax
    }

    /// The response, with memory reserved for a large body; a rejection when there is none.
    func reserveMemory(for response: HTTPResponse) -> HTTPResponse {
        let count = response.body.readableBytes
        guard count >= MemoryAccount.freeBytes, response.memory == nil else { return response }
        if count < ResponseWriter.separateBodyBytesMin {
            // Copied behind its head, and counted when it is not sent at once.
            guard isResponseMemoryFull else { return response }
        } else if response.isBodyShared {
            return response
        }
        guard let memory = MemoryReservation(count, .responses, of: loop.configuration.memory) else {
            return loop.responder.respond(rejecting: .outOfMemory)
        }
        var response = response
        response.memory = memory
        return response
    }

    /// Counts the small answers among the unsent bytes; large ones have reservations of their own.
    func countUnsent(_ bytes: Int) {
        countedBytes = writtenBytes
        responseMemory.resizeUnchecked(to: max(0, bytes - largeBodyBytes))
    }

    /// Whether no further answer may be made for now: the budget is full, and the peer has not taken those that it has.
    /// Peers that read have nothing unsent, and are answered as ever.
    func mustWaitForReader(_ context: ChannelHandlerContext) -> Bool {
        guard isOutputHeld || isResponseMemoryFull else { return false }
        flush(context)
        guard self.context != nil else { return true }
        let unsent = context.unsentBytes
        countUnsent(unsent)
        if isOutputHeld { return true }
        guard unsent > 0 else { return false }
        isOutputHeld = true
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.whenSuccess { _ in
            self.isOutputHeld = false
            self.pump()
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: sent)
        return isOutputHeld
    }
}
