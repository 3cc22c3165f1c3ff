import NIOCore
import NIOHTTP1
import RPC

/// One request over HTTP/2, from its first header field to its answer. Touched only on its connection's event loop.
final class HTTP2RequestStream: HTTP2Stream {
    private var method: HTTPMethod?
    private var target: String?
    private var authority: String?
    private var headers = HTTPHeaders()
    private(set) var headerBytes = 0
    private(set) var body = ByteBuffer()

    let openedAt = NIODeadline.now()
    var refusal: HTTPRefusal?
    var isAnswered = false
    var task: Task<Void, Never>?
    /// Whether the responder has the request, and with it the body.
    var isRunning = false
    /// Bytes of its connection's accounts.
    var requestMemory = 0
    var responseMemory = 0
    /// Of a large answer.
    var reservation: MemoryReservation?
    /// Whether the peer takes the answer.
    var progress = ProgressWatch()

    init() {
        super.init(id: 0)
    }

    var isHead: Bool { method == .HEAD }

    func receive(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ limits: HTTPServer.Configuration) {
        headerBytes += name.count + value.count + 4
        guard headerBytes <= limits.headerBytesMax, headers.count < limits.headerFieldsMax else {
            refusal = .headersTooLarge
            return
        }
        let text = String(decoding: value, as: UTF8.self)
        switch String(decoding: name, as: UTF8.self) {
        case ":method": method = HTTPMethod(rawValue: text)
        case ":path": target = text
        case ":authority": authority = text
        case ":scheme": break
        case let name: headers.add(name: name, value: text)
        }
    }

    func receive(_ data: UnsafeRawBufferPointer, _ limits: HTTPServer.Configuration) {
        guard refusal == nil else { return }
        if body.readableBytes + data.count > limits.bodyBytesMax {
            refusal = .bodyTooLarge
            dropBody()
        } else {
            body.writeBytes(data)
        }
    }

    func dropBody() {
        body = ByteBuffer()
    }

    /// The whole request; `nil` for what nghttp2 lets pass and HTTP does not mean.
    func request(peer: String) -> HTTPRequest? {
        guard let method, let target, method != .CONNECT,
            let (path, query) = RequestDraft.split(target: target, method: method)
        else { return nil }
        if let authority, !headers.contains(name: "host") { headers.add(name: "host", value: authority) }
        return HTTPRequest(method: method, path: path, query: query, headers: headers, body: body, peer: peer)
    }
}
