import NIOCore
import RPC

/// One request over HTTP/2, from its first header field to its answer.
///
/// `@unchecked Sendable`: its responder's task captures it. It is touched on its connection's event loop only: the task does
/// so behind the assertion in ``HTTP2ServerConnection`` that it is back there; the responder, in between, does not see it.
final class HTTP2RequestStream: HTTP2Stream, @unchecked Sendable {
    private var method: HTTPRequest.Method?
    private var target: String?
    private var authority: String?
    private var isHTTPS = false
    private var headers = HTTPFields()
    private(set) var headerBytes = 0
    private var declaredBytes = 0
    private(set) var body = ByteBuffer()

    let openedAt = NIODeadline.now()
    /// Whether the header section is complete; fields that follow are trailers.
    private(set) var hasHeaders = false
    /// Whether the peer waits for 100 (Continue) before it sends its body (RFC 9110 section 10.1.1).
    private(set) var expectsContinue = false
    /// The request without its body, once the header section is complete and valid.
    private var request: HTTPRequest?
    var rejection: HTTPRejection?
    var isAnswered = false
    /// Time of the answer, if the peer had not sent all of its request by then.
    var answeredAt: NIODeadline?
    var task: Task<Void, Never>?
    /// Whether the responder holds the request, and with it the body.
    var isRunning = false
    /// Bytes held in the connection's accounts.
    var requestMemory = 0
    var responseMemory = 0
    /// Memory reserved for a large answer.
    var reservation: MemoryReservation?
    /// Tells whether the peer reads the answer.
    var progress = ProgressWatch()

    init() {
        super.init(id: 0)
    }

    var isHead: Bool { method == .HEAD }

    func receive(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ limits: HTTPServer.Configuration) {
        headerBytes += name.count + value.count + HTTP2Session.fieldOverheadBytes
        guard headerBytes <= limits.headerBytesMax else {
            rejection = .headersTooLarge
            headers = HTTPFields()
            return
        }
        // Trailers arrive after headers are checked, so they must not be merged into them (RFC 9110 section 6.5.1).
        guard !hasHeaders else { return }
        if name.first == UInt8(ascii: ":") {
            receivePseudoHeader(name, value)
            return
        }
        switch headers.add(name, value) {
        case .expect:
            if value.listContains("100-continue") { expectsContinue = true }
        // nghttp2 lets only one through, and only digits.
        case .contentLength: declaredBytes = value.contentLength ?? .max
        default: break
        }
    }

    private func receivePseudoHeader(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        if name.equals(":method") {
            method = HTTPRequest.Method(value)
        } else if name.equals(":path") {
            target = String(decoding: value, as: UTF8.self)
        } else if name.equals(":authority") {
            authority = String(decoding: value, as: UTF8.self)
        } else if name.equals(":scheme") {
            isHTTPS = value.isSameWord(as: "https")
        }
    }

    /// Completes the header section: its errors are known before the body arrives.
    func receivedHeaders(peer: String, _ limits: HTTPServer.Configuration) {
        guard !hasHeaders else { return }
        hasHeaders = true
        guard rejection == nil else { return }
        do throws(HTTPRejection) {
            request = try head(peer: peer)
            if declaredBytes > limits.bodyBytesMax { rejection = .bodyTooLarge }
        } catch {
            rejection = error
        }
        headers = HTTPFields()
    }

    /// The request so far; rejects what nghttp2 accepts although HTTP forbids it.
    private func head(peer: String) throws(HTTPRejection) -> HTTPRequest {
        guard let method, method != .CONNECT else { throw .notImplemented }
        // nghttp2 lets bytes outside ASCII through, which no URI has (RFC 3986 section 2).
        guard let text = target, text.utf8.allSatisfy({ $0.isTargetByte }),
            let target = RequestTarget(text, method: method, allowsAbsoluteForm: false)
        else { throw .malformed }
        let host = headers[.host]
        if let authority {
            guard Authority.isValid(authority[...].utf8) else { throw .malformed }
            // RFC 9113 section 8.3.1: `:authority` and `host` must not differ.
            if let host {
                let isSame = Authority.isSame(
                    host[...].utf8, authority[...].utf8, portStandard: isHTTPS ? "443" : "80")
                guard isSame else { throw .malformed }
            } else {
                headers.add(name: "host", value: authority)
            }
        } else if let host, !host.isEmpty {
            guard Authority.isValid(host[...].utf8) else { throw .malformed }
        }
        return HTTPRequest(method: method, path: target.path, query: target.query, headers: headers, peer: peer)
    }

    func receive(_ data: UnsafeRawBufferPointer, _ limits: HTTPServer.Configuration) {
        guard rejection == nil else { return }
        if body.readableBytes + data.count > limits.bodyBytesMax {
            rejection = .bodyTooLarge
            dropBody()
        } else {
            body.writeBytes(data)
        }
    }

    func dropBody() {
        body = ByteBuffer()
    }

    /// The request with its body; `nil` when it was invalid or is taken already.
    func takeRequest() -> HTTPRequest? {
        defer { request = nil }
        request?.body = body
        return request
    }
}
