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

extension HTTPRequest {
    /// A request's method (RFC 9110 section 9, RFC 5789); case matters.
    public enum Method: Sendable, Hashable {
        case GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH
        case other(String)

        public var rawValue: String {
            switch self {
            case .GET: "GET"
            case .HEAD: "HEAD"
            case .POST: "POST"
            case .PUT: "PUT"
            case .DELETE: "DELETE"
            case .CONNECT: "CONNECT"
            case .OPTIONS: "OPTIONS"
            case .TRACE: "TRACE"
            case .PATCH: "PATCH"
            case .other(let name): name
            }
        }

        /// The method of this name, whatever that is.
        init(_ bytes: UnsafeRawBufferPointer) {
            self = Self.common(bytes) ?? .other(String(decoding: bytes, as: UTF8.self))
        }

        /// The method of this name if it is one of those registered with IANA; `nil` for others.
        init?(registered bytes: UnsafeRawBufferPointer) {
            if let common = Self.common(bytes) {
                self = common
            } else if let name = Self.extensions.first(where: { bytes.equals($0) }) {
                self = .other(name.description)
            } else {
                return nil
            }
        }

        private static func common(_ bytes: UnsafeRawBufferPointer) -> Method? {
            switch bytes.count {
            case 3: bytes.equals("GET") ? .GET : bytes.equals("PUT") ? .PUT : nil
            case 4: bytes.equals("POST") ? .POST : bytes.equals("HEAD") ? .HEAD : nil
            case 5: bytes.equals("PATCH") ? .PATCH : bytes.equals("TRACE") ? .TRACE : nil
            case 6: bytes.equals("DELETE") ? .DELETE : nil
            case 7: bytes.equals("OPTIONS") ? .OPTIONS : bytes.equals("CONNECT") ? .CONNECT : nil
            default: nil
            }
        }

        /// Methods of extensions to HTTP, such as WebDAV. Nothing here serves them, but they are known.
        private static let extensions: [StaticString] = [
            "ACL", "BIND", "CHECKOUT", "COPY", "LINK", "LOCK", "M-SEARCH", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL",
            "MOVE", "NOTIFY", "PROPFIND", "PROPPATCH", "PURGE", "QUERY", "REBIND", "REPORT", "SEARCH", "SOURCE",
            "SUBSCRIBE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE",
        ]
    }
}

extension HTTPResponse {
    /// A response's status code (RFC 9110 section 15).
    public struct Status: Sendable, Hashable {
        public let code: Int

        public init(_ code: Int) {
            self.code = code
        }

        public static let ok = Status(200)
        public static let noContent = Status(204)
        public static let notModified = Status(304)
        public static let badRequest = Status(400)
        public static let forbidden = Status(403)
        public static let notFound = Status(404)
        public static let methodNotAllowed = Status(405)
        public static let requestTimeout = Status(408)
        public static let payloadTooLarge = Status(413)
        public static let tooManyRequests = Status(429)
        public static let requestHeaderFieldsTooLarge = Status(431)
        public static let notImplemented = Status(501)
        public static let serviceUnavailable = Status(503)
        public static let httpVersionNotSupported = Status(505)

        /// Text of the status line; empty for a code that is not in use here, as RFC 9112 section 4 allows.
        public var reasonPhrase: String {
            switch code {
            case 200: "OK"
            case 201: "Created"
            case 202: "Accepted"
            case 204: "No Content"
            case 206: "Partial Content"
            case 301: "Moved Permanently"
            case 302: "Found"
            case 303: "See Other"
            case 304: "Not Modified"
            case 307: "Temporary Redirect"
            case 308: "Permanent Redirect"
            case 400: "Bad Request"
            case 401: "Unauthorized"
            case 403: "Forbidden"
            case 404: "Not Found"
            case 405: "Method Not Allowed"
            case 406: "Not Acceptable"
            case 408: "Request Timeout"
            case 409: "Conflict"
            case 411: "Length Required"
            case 412: "Precondition Failed"
            case 413: "Payload Too Large"
            case 414: "URI Too Long"
            case 415: "Unsupported Media Type"
            case 416: "Range Not Satisfiable"
            case 417: "Expectation Failed"
            case 422: "Unprocessable Entity"
            case 426: "Upgrade Required"
            case 429: "Too Many Requests"
            case 431: "Request Header Fields Too Large"
            // No registered status; nginx made the name common.
            case 499: "Client Closed Request"
            case 500: "Internal Server Error"
            case 501: "Not Implemented"
            case 502: "Bad Gateway"
            case 503: "Service Unavailable"
            case 504: "Gateway Timeout"
            case 505: "HTTP Version Not Supported"
            default: ""
            }
        }
    }
}
