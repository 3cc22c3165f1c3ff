import RPC

/// What only some callers may do. All that is not listed here anybody may, or anybody with a valid token where the method
/// asks for one.
public enum RestrictedAction: Sendable, Equatable {
    case changeVessel(owner: String)
    /// See it, list it, cancel it.
    case useConsignment(of: String)
    case seeUser(id: String)
    case listUsers
}

extension Caller {
    /// The table of rights, for all services.
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
