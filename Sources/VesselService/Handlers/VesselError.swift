import RPC

/// What the vessel service refuses, and how it says so.
enum VesselError: StatusConvertible, Equatable {
    case invalid(String)
    case idTaken(String)
    case noneFits(containers: Int32, kilograms: Int32)

    var status: Status {
        switch self {
        case .invalid(let reason):
            Status(.invalidArgument, reason)
        case .idTaken(let id):
            Status(.alreadyExists, "a vessel with the id \(id) exists already")
        case .noneFits(let containers, let kilograms):
            Status(.notFound, "no vessel carries \(containers) containers and \(kilograms) kg")
        }
    }
}
