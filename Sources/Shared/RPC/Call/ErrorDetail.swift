/// Details of an error for programs, beside its message for people.
///
/// Source: google/rpc/error_details.proto and AIP-193, whose reasons are in capitals.
public enum ErrorDetail: Sendable, Equatable {
    /// An invalid field of a request.
    public struct FieldViolation: Sendable, Equatable {
        /// Its path in the request message, such as `containers[3].origin`; empty for the message itself. Of metadata the
        /// name, such as `idempotency-key`.
        public var field: String
        /// What is wrong with it, for people.
        public var description: String

        /// - Parameter field: its path in the request message, or the name of metadata.
        public init(field: String, description: String) {
            self.field = field
            self.description = description
        }
    }

    /// The invalid fields; goes with INVALID_ARGUMENT.
    case badRequest([FieldViolation])
    /// The reason in capitals, which never changes, such as `FLEET_FULL`. Its domain is ``domain``.
    case errorInfo(reason: String)
    /// How long to wait before the next try: 0 or more, of a received error at most a day.
    case retryInfo(milliseconds: Int64)

    /// The domain of all reasons.
    public static let domain = "shippy"
}

extension Status {
    /// INVALID_ARGUMENT for one field.
    ///
    /// - Parameters:
    ///   - field: its path in the request message, or the name of metadata.
    ///   - message: for people; also the description of the violation.
    public static func invalid(_ field: String, _ message: String) -> Status {
        Status(
            .invalidArgument, message,
            details: [.badRequest([ErrorDetail.FieldViolation(field: field, description: message)])])
    }

    /// A status with an ``ErrorDetail/errorInfo(reason:)``.
    ///
    /// - Parameter reason: in capitals, such as `ID_TAKEN`; programs depend on it.
    public init(_ code: Code, _ message: String, metadata: Metadata = [:], reason: String) {
        self.init(code, message, metadata: metadata, details: [.errorInfo(reason: reason)])
    }

    /// RESOURCE_EXHAUSTED of a call that can never succeed, so that it carries no time to retry after.
    ///
    /// - Parameter message: what has too many elements, such as `the message`.
    package static func tooManyElements(in message: String) -> Status {
        Status(
            .resourceExhausted,
            "\(message) has more than \(MessageLimits.elementsMax) elements (repeated fields, texts, messages)",
            details: [.tooManyElements])
    }

    /// Whether the same call may succeed later: RESOURCE_EXHAUSTED, unless the message itself is the cause.
    package var canSucceedLater: Bool {
        code == .resourceExhausted && !details.contains(ErrorDetail.tooManyElements)
    }

    /// The details that are sent. RESOURCE_EXHAUSTED has a ``ErrorDetail/retryInfo(milliseconds:)``, of `retry-after`,
    /// else of one second, unless the call can never succeed.
    public var allDetails: [ErrorDetail] {
        guard canSucceedLater, !details.contains(where: \.isRetryInfo) else { return details }
        // Seconds, as in HTTP; a longer number is ignored.
        let seconds = metadata["retry-after"].flatMap { $0.utf8.count <= 9 ? Int64($0) : nil } ?? 1
        return details + [.retryInfo(milliseconds: max(0, seconds) * 1_000)]
    }
}

extension ErrorDetail {
    /// Of a message with more than ``MessageLimits/elementsMax`` elements.
    fileprivate static let tooManyElements = ErrorDetail.errorInfo(reason: "TOO_MANY_ELEMENTS")

    fileprivate var isRetryInfo: Bool {
        if case .retryInfo = self { true } else { false }
    }
}
