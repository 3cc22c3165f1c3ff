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
