import NIOCore

/// Allocator of a connection's read buffers, as large as what comes at a time. A channel keeps a buffer that it may reuse
/// until it closes, so only small ones are reused.
///
/// For channels that read once at a time (`maxMessagesPerRead` 1): NIO keeps as many buffers as there may be reads, whatever
/// their size.
package struct ReadBufferAllocator: RecvByteBufferAllocator {
    private static let reusedBytesMax = 4 * 1024

    private var sizes = AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: 65_536)

    package init() {}

    package func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        sizes.buffer(allocator: allocator)
    }

    /// `nil`: no buffer is reused.
    package func nextBufferSize() -> Int? {
        sizes.nextBufferSize().flatMap { $0 <= Self.reusedBytesMax ? $0 : nil }
    }

    package mutating func record(actualReadBytes: Int) -> Bool {
        _ = sizes.record(actualReadBytes: actualReadBytes)
        // Without a size to reuse, NIO makes a new buffer only if it may be larger than the one it has; it always is.
        return nextBufferSize() == nil
    }
}
