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
    var outgoing: [UInt8] = []
    var outgoingOffset = 0
    /// Whether trailers with `grpc-status: 0` follow the last DATA frame, or it ends the stream.
    var endsWithStatusOK = false

    public init(id: Int32) {
        self.id = id
    }

    package var unsentBytes: Int { outgoing.count - outgoingOffset }
}
