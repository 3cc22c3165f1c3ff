import RPC

/// The user service's errors, each with its gRPC status.
enum UserError: StatusConvertible, Equatable {
    /// - Parameters: the path of the field, and what is wrong with it.
    case invalid(String, String)
    case emailTaken
    case unknownUser
    case notAllowed
    /// One text for every reason, an unknown email among them.
    case wrongCredentials
    case noToken
    /// Malformed, expired or forged: one text for all, so that it teaches nothing.
    case badToken
    case tooManyTries(seconds: Int)
    /// The `idempotency-key` belongs to another request.
    case keyUsedBefore

    var status: Status {
        switch self {
        case .invalid(let field, let reason): .invalid(field, reason)
        case .emailTaken: Status(.alreadyExists, "a user with this email exists already", reason: "EMAIL_TAKEN")
        case .unknownUser: Status(.notFound, "there is no such user", reason: "UNKNOWN_USER")
        case .notAllowed:
            Status(.permissionDenied, "only operators may see other users", reason: "NOT_ALLOWED")
        case .wrongCredentials: Status(.unauthenticated, "email or password is wrong", reason: "WRONG_CREDENTIALS")
        case .noToken:
            Status(.unauthenticated, "a token is needed: authorization: Bearer TOKEN", reason: "NO_TOKEN")
        case .badToken: Status(.unauthenticated, "a valid token is needed", reason: "BAD_TOKEN")
        case .tooManyTries(let seconds):
            Status(
                .resourceExhausted, "too many failed logins; try again in \(seconds) s",
                metadata: ["retry-after": "\(seconds)"],
                details: [.retryInfo(milliseconds: Int64(seconds) * 1_000)])
        case .keyUsedBefore:
            Status(.aborted, "the idempotency-key was used for another request", reason: "KEY_USED_BEFORE")
        }
    }
}
