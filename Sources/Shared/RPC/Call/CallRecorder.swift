/// Counts the calls of one method. Called on event loops, so it must not block.
public protocol CallRecorder: Sendable {
    func callBegan()
    /// - Parameter nanoseconds: from the end of the request to the answer, on the monotonic clock.
    func callEnded(_ code: Status.Code, nanoseconds: Int64)
}
