import HTTP
import NIOCore
import RPC

/// An error as the gateway's callers see it. The one place where errors become HTTP.
///
/// The body has go-micro's shape: `{"id", "code", "detail", "status"}`.
struct GatewayError: Error, Equatable {
    /// Who rejects the request or fails the call.
    enum Origin: Equatable {
        case gateway
        /// A service by its short name, such as `vessel`.
        case service(String)
    }

    var origin: Origin
    /// The HTTP status.
    var code: Int
    var detail: String
    /// For programs, which read them instead of `detail`.
    var details: [ErrorDetail] = []
    /// The methods that a path knows, for 405.
    var allow: String?
    /// Seconds to wait before the next try.
    var retryAfter: String?
    /// How to authenticate, for 401.
    var challenge = "Bearer"
    /// Content codings that the gateway accepts, for 415.
    var acceptEncoding: String?

    init(_ code: Int, _ detail: String, origin: Origin = .gateway, allow: String? = nil) {
        self.origin = origin
        self.code = code
        self.detail = detail
        self.allow = allow
    }

    /// What a service answered, or the failure to reach it.
    init(_ status: Status, service: String) {
        self.init(Self.httpCode(status.code), status.message, origin: .service(service))
        details = status.allDetails
        switch status.code {
        case .internal, .unknown, .dataLoss:
            // Whatever the service says about it was not meant for strangers.
            detail = "internal error"
            details = []
        default:
            break
        }
        // Only a number of seconds: nothing else of a service's making becomes a header of ours.
        if let seconds = status.metadata["retry-after"], (1...9).contains(seconds.utf8.count),
            seconds.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") })
        {
            retryAfter = seconds
        } else if status.canSucceedLater {
            retryAfter = "1"
        }
    }

    init(_ rejection: HTTPRejection) {
        switch rejection {
        case .malformed: self.init(400, "the request is not valid HTTP")
        case .timeout: self.init(408, "the request took too long to send")
        case .bodyTooLarge: self.init(413, "the body is larger than is allowed")
        case .outOfMemory:
            self.init(429, "the gateway holds as many bytes for its callers as it may; try again in 1 s")
            retryAfter = "1"
        case .headersTooLarge: self.init(431, "the header is larger than is allowed")
        case .notImplemented: self.init(501, "the method or the transfer coding is not known")
        case .versionNotSupported: self.init(505, "the version of HTTP is not supported; HTTP/1.1 and HTTP/2 are")
        }
    }

    static func methodNotAllowed(_ method: HTTPRequest.Method, allow: String) -> GatewayError {
        GatewayError(405, "\(method.rawValue.shortened()) is not possible here", allow: allow)
    }

    static func notFound(_ what: String) -> GatewayError {
        GatewayError(404, what)
    }

    static func httpCode(_ code: Status.Code) -> Int {
        switch code {
        case .ok: 200
        case .invalidArgument, .failedPrecondition, .outOfRange: 400
        case .unauthenticated: 401
        case .permissionDenied: 403
        case .notFound: 404
        case .alreadyExists, .aborted: 409
        case .resourceExhausted: 429
        case .cancelled: 499
        case .internal, .unknown, .dataLoss: 500
        case .unimplemented: 501
        case .unavailable: 503
        case .deadlineExceeded: 504
        }
    }

    /// A 429 with a time to retry after has a RetryInfo.
    private var allDetails: [ErrorDetail] {
        guard code == 429, details.isEmpty, let retryAfter, let seconds = Int64(retryAfter) else { return details }
        return [.retryInfo(milliseconds: seconds * 1_000)]
    }

    /// - Parameter namespace: comes before the service's name in `id`.
    func response(namespace: String) -> HTTPResponse {
        let status = HTTPResponse.Status(code)
        let name =
            switch origin {
            case .gateway: "api"
            case .service(let service): service
            }
        var body = ByteBuffer()
        body.reserveCapacity(160)
        body.writeJSONString(namespace.isEmpty ? name : "\(namespace).\(name)", after: "{\"id\": ")
        body.writeStaticString(", \"code\": ")
        body.writeString(String(code))
        body.writeJSONString(detail.isEmpty ? status.reasonPhrase : detail, after: ", \"detail\": ")
        body.writeJSONString(status.reasonPhrase, after: ", \"status\": ")
        if !allDetails.isEmpty { body.writeJSON(allDetails) }
        body.writeStaticString("}\n")
        var headers: HTTPFields = ["content-type": "application/json"]
        if let allow { headers.add(name: "allow", value: allow) }
        // RFC 9110 section 15.5.16.
        if let acceptEncoding { headers.add(name: "accept-encoding", value: acceptEncoding) }
        if let retryAfter { headers.add(name: "retry-after", value: retryAfter) }
        // RFC 9110 section 15.5.2: a 401 says how to authenticate.
        if code == 401 { headers.add(name: "www-authenticate", value: challenge) }
        return HTTPResponse(status: status, headers: headers, body: body)
    }
}

extension ByteBuffer {
    /// Writes `, "details": [...]` as the protobuf JSON mapping of `google.protobuf.Any` says, with snake_case names.
    fileprivate mutating func writeJSON(_ details: [ErrorDetail]) {
        writeStaticString(", \"details\": [")
        for (index, detail) in details.enumerated() {
            writeJSONString(detail.typeURL, after: index == 0 ? "{\"@type\": " : ", {\"@type\": ")
            switch detail {
            case .badRequest(let violations):
                writeStaticString(", \"field_violations\": [")
                for (index, violation) in violations.enumerated() {
                    writeJSONString(violation.field, after: index == 0 ? "{\"field\": " : ", {\"field\": ")
                    writeJSONString(violation.description, after: ", \"description\": ")
                    writeStaticString("}")
                }
                writeStaticString("]")
            case .errorInfo(let reason):
                writeJSONString(reason, after: ", \"reason\": ")
                writeJSONString(ErrorDetail.domain, after: ", \"domain\": ")
            case .retryInfo(let milliseconds):
                writeJSONString(Self.duration(milliseconds), after: ", \"retry_delay\": ")
            }
            writeStaticString("}")
        }
        writeStaticString("]")
    }

    /// Seconds with an s, and three digits of a fraction where there is one.
    private static func duration(_ milliseconds: Int64) -> String {
        let fraction = milliseconds % 1_000
        guard fraction > 0 else { return "\(milliseconds / 1_000)s" }
        return "\(milliseconds / 1_000).\(String(1_000 + fraction).dropFirst())s"
    }
}
