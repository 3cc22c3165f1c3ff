import NIOCore
import RPC

/// What a connection holds for its peer, and how long it works for it alone.
extension HTTPServerConnection {
    /// Goes on after other connections had their turns.
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

    /// Lets go of the buffer that was read into, which grows with what comes and would stay with an idle connection.
    func releaseSpareMemory(_ context: ChannelHandlerContext) {
        guard isSpareHeld else { return }
        isSpareHeld = false
        // An option that a channel does not know is an error of NIO's, and nothing is lost by it.
        try? context.channel.syncOptions?.setOption(.recvAllocator, value: HTTPServer.makeReceiveAllocator())
    }

    /// Takes memory for what has come; refuses that where there is none.
    func holdRequests() {
        if state.heldBytes > Self.spareBytesMin { isSpareHeld = true }
        guard !requestMemory.resize(to: state.heldBytes) else { return }
        state.refuseNewest()
        requestMemory.resizeAnyway(to: state.heldBytes)
    }

    /// The response, with memory for a large body; a refusal where there is none.
    func affordable(_ response: HTTPResponse) -> HTTPResponse {
        let count = response.body.readableBytes
        guard count >= ResponseWriter.separateBodyBytesMin, response.memory == nil, !response.isBodyShared else {
            return response
        }
        guard let memory = MemoryReservation(count, .responses, of: loop.configuration.memory) else {
            return loop.responder.respond(refusing: .outOfMemory)
        }
        var response = response
        response.memory = memory
        return response
    }

    /// Bytes that the channel has and the socket does not take yet.
    func unsentBytes(_ context: ChannelHandlerContext) -> Int {
        // An unknown option would be an error of NIO's; without it a connection counts as not writing.
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// Counts the small answers among the bytes that wait for the peer; the large ones have memory of their own.
    func countUnsent(_ bytes: Int) {
        responseMemory.resizeAnyway(to: max(0, bytes - largeBodyBytes))
    }
}
