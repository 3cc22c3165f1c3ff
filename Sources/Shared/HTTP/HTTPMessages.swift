import NIOCore
import RPC

/// A request as a responder sees it: whole, within the server's limits.
public struct HTTPRequest: Sendable {
    public var method: Method
    /// Path of the request target, without the query; starts with `/`, or is `*` with OPTIONS. Unreserved characters
    /// are decoded (RFC 3986 section 6.2.2.2), all others are as sent.
    public var path: String
    /// The text after `?`, if any.
    public var query: String?
    public var headers: HTTPFields
    public var body: ByteBuffer
    /// The peer's address, for logs.
    public var peer: String

    public init(
        method: Method, path: String, query: String? = nil, headers: HTTPFields = HTTPFields(),
        body: ByteBuffer = ByteBuffer(), peer: String = ""
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.peer = peer
    }
}

/// A whole response. The server adds `content-length`, `date` and what `connection` needs.
public struct HTTPResponse: Sendable {
    public var status: Status
    public var headers: HTTPFields
    /// Further headers, which many responses have alike: made once, they cost next to nothing.
    public var shared: SharedFields?
    public var body: ByteBuffer
    /// Memory reserved for the body, held until the peer has read it; `nil` lets the server reserve it.
    public var memory: MemoryReservation?
    /// Whether the body is in memory anyway and shared by all its readers: no memory is counted for it.
    public var isBodyShared = false

    public init(
        status: Status, headers: HTTPFields = HTTPFields(), shared: SharedFields? = nil,
        body: ByteBuffer = ByteBuffer()
    ) {
        self.status = status
        self.headers = headers
        self.shared = shared
        self.body = body
    }
}

/// Header fields that many responses have alike. A class, so that a response has only a reference to them.
public final class SharedFields: Sendable {
    public let fields: HTTPFields

    public init(_ fields: HTTPFields) {
        self.fields = fields
    }
}

/// What the server itself rejects before a responder sees a request.
public enum HTTPRejection: Error, Equatable {
    /// Not HTTP, or against RFC 9112: 400.
    case malformed
    /// The request was not finished in time: 408.
    case timeout
    /// The body is larger than allowed: 413.
    case bodyTooLarge
    /// The header section is larger than allowed: 431.
    case headersTooLarge
    /// The memory budget is used up: 429.
    case outOfMemory
    /// An unsupported method or transfer coding: 501.
    case notImplemented
    /// An unsupported major version of HTTP: 505.
    case versionNotSupported
}

/// Answers requests. Called on the connection's event loop, as a task that stays there; it must not block.
public protocol HTTPResponder: Sendable {
    func respond(to request: HTTPRequest) async -> HTTPResponse
    /// How a rejection reads; the server closes the connection after it.
    func respond(rejecting rejection: HTTPRejection) -> HTTPResponse
}
