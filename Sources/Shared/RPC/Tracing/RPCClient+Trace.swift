import Traces
import Tracing

extension RPCClient {
    /// The span of a call that belongs to a recorded one, with the metadata that tells the server of it.
    func beginTrace(_ path: String, _ metadata: inout Metadata) -> TraceSpan? {
        guard let parent = TraceSpan.current else { return nil }
        let name = String(path.dropFirst())
        let span = parent.child(name, kind: .client)
        span.set("rpc.system.name", "grpc")
        span.set("rpc.method", .string(name))
        span.set("server.address", .string(configuration.target.host))
        span.set("server.port", .int64(Int64(configuration.target.port)))
        metadata.set(span.identity, state: span.state)
        return span
    }
}

extension TraceSpan {
    /// Adds an event: the call failed and is retried.
    func recordRetry(_ attempt: Int, after status: Status) {
        addEvent(
            SpanEvent(
                name: "retry",
                attributes: [
                    "rpc.attempt": .int64(Int64(attempt)), "rpc.response.status_code": .string(status.code.name),
                ]))
    }
}
