import NIOCore

/// What a handler may know of the call around its message.
public struct RequestContext: Sendable {
    /// The `:path` that was called.
    public let path: String
    public let metadata: Metadata
    /// When the caller stops waiting. Pass it on to every store and service that is asked.
    public let deadline: Deadline
    /// The peer's address, for logs.
    public let peer: String

    public init(path: String, metadata: Metadata = [:], deadline: Deadline = .never, peer: String = "") {
        self.path = path
        self.metadata = metadata
        self.deadline = deadline
        self.peer = peer
    }
}
