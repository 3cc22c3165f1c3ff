import NIOCore

/// Counts the calls of one method. Called on event loops, so it must not block.
public protocol CallRecorder: Sendable {
    func callBegan()
    /// - Parameter nanoseconds: from the end of the request to the answer, on the monotonic clock.
    func callEnded(_ code: Status.Code, nanoseconds: Int64)
}

/// Hears of the calls of one method when they have ended, for logs. Called on event loops, so it must not block.
public protocol CallObserver: Sendable {
    /// - Parameters:
    ///   - code: what the caller was answered, or would have been had it stayed.
    ///   - metadata: the caller's.
    ///   - peer: the caller's address.
    ///   - began: the end of the request.
    func callEnded(_ code: Status.Code, metadata: Metadata, peer: String, began: NIODeadline, ended: NIODeadline)
}
