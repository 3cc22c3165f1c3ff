import RPC

/// What the user service refuses, and how it says so.
enum UserError: StatusConvertible, Equatable {
    case invalid(String)
    case emailTaken
    case unknownUser

    var status: Status {
        switch self {
        case .invalid(let reason): Status(.invalidArgument, reason)
        case .emailTaken: Status(.alreadyExists, "a user with this email exists already")
        case .unknownUser: Status(.notFound, "there is no such user")
        }
    }
}
