import NIOCore

/// Is told of each call of one method: once that it began, and once how it ended. For metrics and logs. Called on event
/// loops, so it must not block.
public protocol CallObserver: Sendable {
    func callBegan()
    /// - Parameters:
    ///   - code: what the caller was answered, or would have been had it stayed.
    ///   - metadata: the request's.
    ///   - peer: the caller's address at a server, the host that is called at a client.
    ///   - began: at a server the end of the request.
    func callEnded(_ code: Status.Code, metadata: Metadata, peer: String, began: NIODeadline, ended: NIODeadline)
}
