import RPC

/// What the user service refuses, and how it says so.
enum UserError: StatusConvertible, Equatable {
    case invalid(String)
    case emailTaken
    case unknownUser
    /// One text for every reason, an unknown email among them.
    case wrongCredentials
    /// Missing, malformed, expired or forged: one text for all, so that it teaches nothing.
    case badToken
    case tooManyTries(seconds: Int)
    /// The `idempotency-key` belongs to another request.
    case keyUsedBefore

    var status: Status {
        switch self {
        case .invalid(let reason): Status(.invalidArgument, reason)
        case .emailTaken: Status(.alreadyExists, "a user with this email exists already")
        case .unknownUser: Status(.notFound, "there is no such user")
        case .wrongCredentials: Status(.unauthenticated, "email or password is wrong")
        case .badToken: Status(.unauthenticated, "a valid token is needed")
        case .tooManyTries(let seconds):
            Status(
                .resourceExhausted, "too many failed logins; try again in \(seconds) s",
                metadata: ["retry-after": "\(seconds)"])
        case .keyUsedBefore: Status(.aborted, "the idempotency-key was used for another request")
        }
    }
}
