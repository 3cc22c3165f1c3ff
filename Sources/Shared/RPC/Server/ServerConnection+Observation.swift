import NIOCore

/// Reports calls to their recorder and observer.
extension ServerConnection {
    /// The handler is about to run.
    func recordStart(_ stream: ServerStream, _ route: ServerRoute, now: NIODeadline) {
        stream.startedAt = now
        route.recorder?.callBegan()
    }

    /// The handler has ended. A call that was answered before (deadline, cancelled) counts as what its caller saw.
    func recordEnd(_ stream: ServerStream, _ code: Status.Code) {
        guard let route = stream.route, let began = stream.startedAt else { return }
        let code = stream.statusOnWire ?? code
        let ended = NIODeadline.now()
        let nanoseconds = (ended - began).nanoseconds
        route.recorder?.callEnded(code, nanoseconds: nanoseconds)
        route.observer?.callEnded(code, metadata: stream.metadata, peer: peer, began: began, ended: ended)
    }

    /// The call is rejected before any handler ran. All unknown methods share one label, which bounds the number of
    /// series; requests that are not gRPC are not counted.
    func recordRejection(_ stream: ServerStream, _ rejection: ServerStream.Rejection) {
        guard stream.startedAt == nil, case .status(let status) = rejection else { return }
        let route = stream.route ?? shared.unknownRoute
        guard route.isObserved else { return }
        let now = NIODeadline.now()
        route.recorder?.callBegan()
        route.recorder?.callEnded(status.code, nanoseconds: 0)
        route.observer?.callEnded(status.code, metadata: stream.metadata, peer: peer, began: now, ended: now)
    }
}
