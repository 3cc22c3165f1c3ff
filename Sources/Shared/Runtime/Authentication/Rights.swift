import RPC

/// What only some callers may do. Anything else is open to everybody, or to everybody with a valid token where the method
/// needs one. Ids are those of users; empty where there is no owner.
public enum RestrictedAction: Sendable, Equatable {
    /// VesselService.Update.
    case changeVessel(owner: String)
    /// ConsignmentService.Get and Cancel.
    case useConsignment(of: String)
    /// UserService.Get.
    case seeUser(id: String)
    /// UserService.GetAll.
    case listUsers
}

extension Caller {
    /// The table of rights, for all services; README.md shows it to people.
    ///
    /// An empty id belongs to no user: a vessel that was made without a token has no owner, and only operators may change it.
    public func may(_ action: RestrictedAction) -> Bool {
        switch action {
        case .changeVessel(let owner): isOperator || isUser(owner)
        case .useConsignment(let user): isOperator || isUser(user)
        case .seeUser(let id): isOperator || isUser(id)
        case .listUsers: isOperator
        }
    }

    private func isUser(_ id: String) -> Bool {
        !id.isEmpty && userID.hasSameBytes(as: id)
    }
}
