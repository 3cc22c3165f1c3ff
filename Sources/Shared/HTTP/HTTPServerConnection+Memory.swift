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

    private static let spareBytesMin = 4 * 1024

    /// Releases the read buffer, which grows with the input and would stay with an idle connection.
    func releaseSpareMemory(_ context: ChannelHandlerContext) {
        guard isSpareHeld else { return }
        isSpareHeld = false
        // A channel without this option throws; that does no harm.
        try? context.channel.syncOptions?.setOption(.recvAllocator, value: HTTPServer.makeReceiveAllocator())
    }

    /// Counts memory for what was received; rejects the newest request when there is none.
    func holdRequests() {
        if state.heldBytes > Self.spareBytesMin { isSpareHeld = true }
        guard !requestMemory.resize(to: state.heldBytes) else { return }
        state.rejectNewest(partialIsHead: isReadingHEAD)
        requestMemory.resizeUnchecked(to: state.heldBytes)
    }

    /// The response, with memory reserved for a large body; a rejection when there is none.
    func reserveMemory(for response: HTTPResponse) -> HTTPResponse {
        let count = response.body.readableBytes
        guard count >= ResponseWriter.separateBodyBytesMin, response.memory == nil, !response.isBodyShared else {
            return response
        }
        guard let memory = MemoryReservation(count, .responses, of: loop.configuration.memory) else {
            return loop.responder.respond(rejecting: .outOfMemory)
        }
        var response = response
        response.memory = memory
        return response
    }

    /// Bytes that the channel holds and the socket has not taken yet.
    func unsentBytes(_ context: ChannelHandlerContext) -> Int {
        // A channel without this option throws; the connection then counts as not writing.
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// Counts the small answers among the unsent bytes; large ones have reservations of their own.
    func countUnsent(_ bytes: Int) {
        responseMemory.resizeUnchecked(to: max(0, bytes - largeBodyBytes))
    }
}
