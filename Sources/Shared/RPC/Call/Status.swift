/// The outcome of a call as gRPC knows it: a code, a text for people, and metadata (sent as trailers).
///
/// Thrown by handlers and by ``RPCClient``. The message goes to the caller, so it never holds a query, an address of
/// our own, a stack or a secret.
/// Source: gRPC over HTTP/2, "Status" and "Responses".
public struct Status: Error, Sendable, Equatable {
    public var code: Code
    public var message: String
    /// Extra trailers, for example `retry-after`.
    public var metadata: Metadata
    /// For programs, which read them instead of the message. With the message they take at most 8 KiB on the wire; beyond,
    /// none is sent.
    public var details: [ErrorDetail]

    public init(_ code: Code, _ message: String = "", metadata: Metadata = [:], details: [ErrorDetail] = []) {
        self.code = code
        self.message = message
        self.metadata = metadata
        self.details = details
    }

    public static let ok = Status(.ok)

    /// The canonical codes; raw values are the numbers on the wire.
    public enum Code: Int, Sendable, CaseIterable {
        case ok = 0
        case cancelled = 1
        case unknown = 2
        case invalidArgument = 3
        case deadlineExceeded = 4
        case notFound = 5
        case alreadyExists = 6
        case permissionDenied = 7
        case resourceExhausted = 8
        case failedPrecondition = 9
        case aborted = 10
        case outOfRange = 11
        case unimplemented = 12
        case `internal` = 13
        case unavailable = 14
        case dataLoss = 15
        case unauthenticated = 16

        /// The name in the specification, as metrics and logs show it.
        public var name: String {
            switch self {
            case .ok: "OK"
            case .cancelled: "CANCELLED"
            case .unknown: "UNKNOWN"
            case .invalidArgument: "INVALID_ARGUMENT"
            case .deadlineExceeded: "DEADLINE_EXCEEDED"
            case .notFound: "NOT_FOUND"
            case .alreadyExists: "ALREADY_EXISTS"
            case .permissionDenied: "PERMISSION_DENIED"
            case .resourceExhausted: "RESOURCE_EXHAUSTED"
            case .failedPrecondition: "FAILED_PRECONDITION"
            case .aborted: "ABORTED"
            case .outOfRange: "OUT_OF_RANGE"
            case .unimplemented: "UNIMPLEMENTED"
            case .internal: "INTERNAL"
            case .unavailable: "UNAVAILABLE"
            case .dataLoss: "DATA_LOSS"
            case .unauthenticated: "UNAUTHENTICATED"
            }
        }

        /// Whether a server is to blame, rather than its caller.
        /// Source: OpenTelemetry, "Semantic conventions for gRPC", `rpc.response.status_code` of servers.
        package var isServerError: Bool {
            switch self {
            case .unknown, .deadlineExceeded, .unimplemented, .internal, .unavailable, .dataLoss: true
            default: false
            }
        }
    }
}

extension Status: CustomStringConvertible {
    public var description: String {
        message.isEmpty ? code.name : "\(code.name): \(message)"
    }
}

/// An error of a domain or a library that knows which status it is.
///
/// Domain errors conform beside their definition, so that the mapping is said once.
public protocol StatusConvertible: Error {
    var status: Status { get }
}

extension Status {
    /// The one place where an error becomes a status.
    ///
    /// What nobody foresaw becomes INTERNAL without its text: the text belongs in the log.
    public init(_ error: any Error) {
        switch error {
        case let status as Status: self = status
        case let convertible as any StatusConvertible: self = convertible.status
        case is CancellationError: self = Status(.cancelled, "the call was cancelled")
        default: self = Status(.internal, "internal error")
        }
    }

    /// Whether `error` says its own status; false means that it should be logged in full.
    public static func isExpected(_ error: any Error) -> Bool {
        error is Status || error is any StatusConvertible || error is CancellationError
    }
}
