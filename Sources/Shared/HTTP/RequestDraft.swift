import NIOCore

/// A request whose body is still arriving, and what its head said about the connection.
package struct RequestDraft: Sendable {
    var request: HTTPRequest
    /// Whether the connection outlives this request.
    let isPersistent: Bool
    /// Such a peer must be told that the connection stays open.
    let isHTTP10: Bool
    let declaredBytes: Int?
    /// Whether the peer waits to be told to send its body (RFC 9110 section 10.1.1).
    private var expectsContinue: Bool

    init(request: HTTPRequest, isPersistent: Bool, isHTTP10: Bool, declaredBytes: Int?, expectsContinue: Bool) {
        self.request = request
        self.isPersistent = isPersistent
        self.isHTTP10 = isHTTP10
        self.declaredBytes = declaredBytes
        self.expectsContinue = expectsContinue
    }

    mutating func append(_ body: inout ByteBuffer) {
        // The peer did not wait to be asked.
        expectsContinue = false
        if request.body.readableBytes == 0 {
            // Most bodies come in one piece: it is taken as it is, a slice of what was read.
            request.body = body
        } else {
            request.body.writeBuffer(&body)
        }
    }

    /// Whether the peer waits to be told to send its body; true once.
    mutating func takeContinue() -> Bool {
        guard expectsContinue else { return false }
        expectsContinue = false
        return true
    }
}
