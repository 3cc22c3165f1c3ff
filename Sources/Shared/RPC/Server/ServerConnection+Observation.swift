import NIOCore

/// What recorders and observers hear of calls.
extension ServerConnection {
    /// The handler is about to run.
    func noteBegin(_ stream: ServerStream, _ route: ServerRoute, now: NIODeadline) {
        stream.startedAt = now
        route.recorder?.callBegan()
    }

    /// The handler has ended. A call that was answered before (deadline, cancelled) counts as what its caller saw.
    func noteEnd(_ stream: ServerStream, _ code: Status.Code) {
        guard let route = stream.route, let began = stream.startedAt else { return }
        let code = stream.statusOnWire ?? code
        let ended = NIODeadline.now()
        let nanoseconds = (ended - began).nanoseconds
        route.recorder?.callEnded(code, nanoseconds: nanoseconds)
        route.observer?.callEnded(code, metadata: stream.metadata, peer: peer, began: began, ended: ended)
    }

    /// The call is refused before any handler ran. Calls of methods that there are not share one name, so that callers
    /// can't make up names without end; requests that are not gRPC are no calls.
    func noteRefusal(_ stream: ServerStream, _ objection: ServerStream.Objection) {
        guard stream.startedAt == nil, case .status(let status) = objection else { return }
        let route = stream.route ?? shared.unknownRoute
        guard route.isObserved else { return }
        let now = NIODeadline.now()
        route.recorder?.callBegan()
        route.recorder?.callEnded(status.code, nanoseconds: 0)
        route.observer?.callEnded(status.code, metadata: stream.metadata, peer: peer, began: now, ended: now)
    }
}
