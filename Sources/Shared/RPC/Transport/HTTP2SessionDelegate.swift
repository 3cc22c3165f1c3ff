/// What a session tells its connection while it reads. Called on the connection's event loop, inside
/// ``HTTP2Session/receive(_:)`` or ``HTTP2Session/drain(into:bytesMax:)``: it may submit frames and must not do either again.
package protocol HTTP2SessionDelegate: AnyObject {
    /// A peer opens a stream; `nil` refuses it (REFUSED_STREAM). Servers only.
    func sessionOpensStream() -> HTTP2Stream?
    /// One field of a header section or of trailers. The bytes live as long as the call.
    func session(received name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, on stream: HTTP2Stream)
    /// A header section or the trailers are complete. When they end the stream, ``HTTP2Stream/hasPeerEnded`` is already
    /// true.
    func sessionReceivedHeaders(on stream: HTTP2Stream)
    /// A piece of a DATA frame. The bytes live as long as the call.
    func session(received data: UnsafeRawBufferPointer, on stream: HTTP2Stream)
    /// The peer has sent all of its side.
    func sessionReceivedEnd(on stream: HTTP2Stream)
    /// The stream is over; the session has forgotten it.
    func session(closed stream: HTTP2Stream, _ code: HTTP2ErrorCode)
    func session(received frame: HTTP2ControlFrame)
}

/// Frames that concern the whole connection.
package enum HTTP2ControlFrame {
    case settings
    /// Returns the payload of our PING.
    case pingAcknowledged(payload: UInt64)
    case goAway(HTTP2ErrorCode)
    /// The peer gave up a stream (RST_STREAM); it closes right after.
    case reset
}

/// Source: RFC 9113 section 7.
package struct HTTP2ErrorCode: RawRepresentable, Equatable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let noError = HTTP2ErrorCode(rawValue: 0x0)
    package static let internalError = HTTP2ErrorCode(rawValue: 0x2)
    package static let refusedStream = HTTP2ErrorCode(rawValue: 0x7)
    package static let cancel = HTTP2ErrorCode(rawValue: 0x8)
    package static let enhanceYourCalm = HTTP2ErrorCode(rawValue: 0xb)
    package static let inadequateSecurity = HTTP2ErrorCode(rawValue: 0xc)
}

/// Why a session can't go on.
package enum HTTP2SessionError: Error, Equatable {
    /// nghttp2 could not allocate.
    case outOfMemory
    /// The peer does not speak HTTP/2: its first bytes are not the connection preface.
    case notHTTP2
    /// The peer makes us queue answers faster than it reads them, or resets streams too fast.
    case flooded
    /// The peer makes us decode header sections far beyond the limit.
    case headersTooLarge
    /// Any other fatal code of nghttp2.
    case fatal(Int32)
}
