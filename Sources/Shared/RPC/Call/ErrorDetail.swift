/// What a refusal says to programs, beside its text for people.
///
/// Source: google/rpc/error_details.proto and AIP-193, whose reasons are in capitals.
public enum ErrorDetail: Sendable, Equatable {
    /// A field that is wrong.
    public struct FieldViolation: Sendable, Equatable {
        /// Its path in the request, such as `containers[3].origin`.
        public var field: String
        public var description: String

        public init(field: String, description: String) {
            self.field = field
            self.description = description
        }
    }

    case badRequest([FieldViolation])
    /// Why, as a word that stays the same, such as `FLEET_FULL`; of ``domain``.
    case errorInfo(reason: String)
    /// Milliseconds after which a try may succeed.
    case retryInfo(milliseconds: Int64)

    /// Whose reasons these are.
    public static let domain = "shippy"
}

extension Status {
    /// INVALID_ARGUMENT for one field.
    ///
    /// - Parameter field: its path in the request.
    public static func invalid(_ field: String, _ message: String) -> Status {
        Status(
            .invalidArgument, message,
            details: [.badRequest([ErrorDetail.FieldViolation(field: field, description: message)])])
    }

    /// - Parameter reason: in capitals, such as `ID_TAKEN`.
    public init(_ code: Code, _ message: String, metadata: Metadata = [:], reason: String) {
        self.init(code, message, metadata: metadata, details: [.errorInfo(reason: reason)])
    }

    /// The details that go with it on the wire: RESOURCE_EXHAUSTED always says when to come back.
    public var allDetails: [ErrorDetail] {
        guard code == .resourceExhausted, !details.contains(where: \.isRetryInfo) else { return details }
        // Seconds, as in HTTP; a longer number is ignored.
        let seconds = metadata["retry-after"].flatMap { $0.utf8.count <= 9 ? Int64($0) : nil } ?? 1
        return details + [.retryInfo(milliseconds: max(0, seconds) * 1_000)]
    }
}

extension ErrorDetail {
    fileprivate var isRetryInfo: Bool {
        if case .retryInfo = self { true } else { false }
    }
}
