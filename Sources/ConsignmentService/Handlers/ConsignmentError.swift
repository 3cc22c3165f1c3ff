import RPC

/// What the consignment service refuses, and how it says so.
enum ConsignmentError: StatusConvertible, Equatable {
    case invalid(String)
    case vesselServiceAway

    var status: Status {
        switch self {
        case .invalid(let reason): Status(.invalidArgument, reason)
        case .vesselServiceAway: Status(.unavailable, "the vessel service can't be reached")
        }
    }
}
