import RPC

/// What the email service refuses, and how it says so.
enum EmailError: StatusConvertible, Equatable {
    case invalid(String)
    case unknownEvent

    var status: Status {
        switch self {
        case .invalid(let reason): Status(.invalidArgument, reason)
        case .unknownEvent: Status(.notFound, "there is no mail for this event")
        }
    }
}
