import RPC

/// The vessel service's errors, each with its gRPC status.
enum VesselError: StatusConvertible, Equatable {
    /// - Parameters: the path of the field, and what is wrong with it.
    case invalid(String, String)
    case idTaken(String)
    case unknownVessel
    case noneFits(Room)
    /// A capacity or weight below what is booked.
    case belowBooked(String)
    /// The room of this consignment was released; a late repeat must not book it again.
    case released(String)
    case notTheOwner

    var status: Status {
        switch self {
        case .invalid(let field, let reason):
            .invalid(field, reason)
        case .idTaken(let id):
            Status(.alreadyExists, "a vessel with the id \(id) exists already", reason: "ID_TAKEN")
        case .unknownVessel:
            Status(.notFound, "there is no vessel with this id", reason: "UNKNOWN_VESSEL")
        case .noneFits(let room):
            Status(
                .notFound, "no vessel carries \(room.containers) containers and \(room.weight) kg", reason: "FLEET_FULL"
            )
        case .belowBooked(let reason):
            Status(.failedPrecondition, reason, reason: "BELOW_BOOKED")
        case .released(let id):
            Status(.failedPrecondition, "the room of consignment \(id) was released", reason: "RELEASED")
        case .notTheOwner:
            Status(.permissionDenied, "only the vessel's owner and operators may change it", reason: "NOT_THE_OWNER")
        }
    }
}
