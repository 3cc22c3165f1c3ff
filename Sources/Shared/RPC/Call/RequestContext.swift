import NIOCore
import Traces

/// What a handler may know of the call around its message.
public struct RequestContext: Sendable {
    /// The `:path` that was called.
    public let path: String
    public let metadata: Metadata
    /// When the caller stops waiting. Pass it on to every store and service that is asked.
    public let deadline: Deadline
    /// The peer's address, for logs.
    public let peer: String
    /// Which span of which trace the call is: for logs, and to be kept with what is done about it later. `nil` where
    /// calls are not traced.
    public let trace: TraceParent?

    public init(
        path: String, metadata: Metadata = [:], deadline: Deadline = .never, peer: String = "",
        trace: TraceParent? = nil
    ) {
        self.path = path
        self.metadata = metadata
        self.deadline = deadline
        self.peer = peer
        self.trace = trace
    }
}
