import RPC

/// The email service's errors, each with its gRPC status.
enum EmailError: StatusConvertible, Equatable {
    /// - Parameters: the path of the field, and what is wrong with it.
    case invalid(String, String)
    case unknownEvent

    var status: Status {
        switch self {
        case .invalid(let field, let reason): .invalid(field, reason)
        case .unknownEvent: Status(.notFound, "there is no mail for this event")
        }
    }
}
