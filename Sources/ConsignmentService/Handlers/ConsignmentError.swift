import RPC

/// The consignment service's errors, each with its gRPC status.
enum ConsignmentError: StatusConvertible, Equatable {
    /// - Parameters: the path of the field, and what is wrong with it.
    case invalid(String, String)
    /// Also for another user's consignment, so that the answer does not tell whether it exists.
    case unknownConsignment
    case vesselServiceAway
    /// The call's intent was undone by another call or by a worker. Nothing is left of it.
    case bookingUndone

    var status: Status {
        switch self {
        case .invalid(let field, let reason): .invalid(field, reason)
        case .unknownConsignment:
            Status(.notFound, "you have no consignment with this id", reason: "UNKNOWN_CONSIGNMENT")
        case .vesselServiceAway:
            Status(.unavailable, "the vessel service can't be reached", reason: "VESSEL_SERVICE_UNAVAILABLE")
        case .bookingUndone: Status(.unavailable, "the booking was undone; try again", reason: "BOOKING_UNDONE")
        }
    }

    /// The caller's error for one of the vessel service.
    static func mapUpstreamError(_ status: Status) -> any Error {
        switch status.code {
        case .notFound, .cancelled, .deadlineExceeded: status
        case .resourceExhausted:
            Status(.resourceExhausted, "the vessel service is overloaded; try again later", metadata: status.retryAfter)
        case .unavailable: vesselServiceAway
        default: Status(.internal, "internal error")
        }
    }
}
