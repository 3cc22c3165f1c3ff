import NIOCore

/// One HTTP/2 stream as ``HTTP2Session`` keeps it; servers and clients add what they need in subclasses.
///
/// Touched only on the event loop of its connection.
open class HTTP2Stream {
    /// 0 until the session has given it one.
    package internal(set) var id: Int32 = 0
    /// False once the session has forgotten it; nothing may be submitted then.
    package internal(set) var isOpen = false
    /// The peer has sent all of its side.
    package internal(set) var hasPeerEnded = false
    /// Set when its request could not be sent, so that the peer surely never saw it.
    package internal(set) var wasNeverSent = false

    /// Where the session keeps it, for removal without a search.
    var slot = -1
    /// Bytes for DATA frames, taken from `outgoingOffset` on.
    private(set) var outgoing = OutgoingBytes.array([])
    private(set) var outgoingCount = 0
    private(set) var outgoingOffset = 0
    /// Whether trailers with `grpc-status: 0` follow the last DATA frame, or it ends the stream.
    var endsWithStatusOK = false

    public init(id: Int32) {
        self.id = id
    }

    package var unsentBytes: Int { outgoingCount - outgoingOffset }

    /// Bytes that nghttp2 has taken, within the peer's windows.
    package var sentBytes: Int { outgoingOffset }

    func setOutgoing(_ bytes: OutgoingBytes, count: Int) {
        outgoing = bytes
        outgoingCount = count
        outgoingOffset = 0
    }

    /// Releases the bytes, sent or not, when the stream is over.
    package func dropOutgoing() {
        setOutgoing(.array([]), count: 0)
    }

    /// Copies up to `count` of the unsent bytes to `target`; returns their number.
    func takeOutgoing(_ target: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int {
        let count = min(count, unsentBytes)
        let offset = outgoingOffset
        switch outgoing {
        case .array(let bytes):
            bytes.withUnsafeBufferPointer {
                if let start = $0.baseAddress { target.update(from: start + offset, count: count) }
            }
        case .buffer(let buffer):
            buffer.withUnsafeReadableBytes {
                UnsafeMutableRawBufferPointer(start: target, count: count)
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + count)]))
            }
        }
        outgoingOffset += count
        return count
    }
}

/// The bytes of a message in the form in which they were made; many streams may share a buffer.
enum OutgoingBytes {
    case array([UInt8])
    case buffer(ByteBuffer)
}
