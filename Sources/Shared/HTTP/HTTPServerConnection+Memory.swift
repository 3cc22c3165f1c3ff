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

/// Allocator of a connection's read buffers, as large as what comes at a time. A channel keeps a buffer that it may reuse
/// until it closes, so only small ones are reused.
struct ReadBufferAllocator: RecvByteBufferAllocator {
    private static let reusedBytesMax = 4 * 1024

    private var sizes = AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: 65_536)

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        sizes.buffer(allocator: allocator)
    }

    /// `nil`: no buffer is reused.
    func nextBufferSize() -> Int? {
        sizes.nextBufferSize().flatMap { $0 <= Self.reusedBytesMax ? $0 : nil }
    }

    mutating func record(actualReadBytes: Int) -> Bool {
        _ = sizes.record(actualReadBytes: actualReadBytes)
        // Without a size to reuse, NIO makes a new buffer only if it may be larger than the one it has; it always is.
        return nextBufferSize() == nil
    }
}
