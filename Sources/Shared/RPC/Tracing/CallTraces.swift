import NIOCore
import Traces
import Tracing

extension TraceSpan {
    /// Ends a server's span. Only what the server itself is to blame for is an error of its own.
    /// Source: OpenTelemetry semantic conventions for gRPC, "gRPC Status".
    func endServer(_ code: Status.Code) {
        end(code, isError: code.isServerError)
    }

    /// Ends a client's span: whatever is not an answer is an error to whoever asked.
    func endClient(_ code: Status.Code) {
        end(code, isError: code != .ok)
    }

    private func end(_ code: Status.Code, isError: Bool) {
        set("rpc.response.status_code", .string(code.name))
        if isError {
            set("error.type", .string(code.name))
            setStatus(SpanStatus(code: .error))
        }
        end()
    }
}

extension Metadata {
    /// Says where whoever gets this stands in its trace.
    package mutating func set(_ trace: TraceParent, state: String?) {
        set("traceparent", trace.text)
        if let state {
            set("tracestate", state)
        } else {
            remove("tracestate")
        }
    }

    /// Makes one field of several: a `tracestate` is a list that may be spread over fields (RFC 9110, section 5.3). Two
    /// `traceparent` are none, as it is unknown which is meant.
    mutating func mergeTrace() {
        var parents = 0
        var states = 0
        for (name, _) in self {
            if name.hasSameBytes(as: "traceparent") { parents += 1 }
            if name.hasSameBytes(as: "tracestate") { states += 1 }
        }
        if parents > 1 { remove("traceparent") }
        if states > 1 {
            let list = filter { $0.name.hasSameBytes(as: "tracestate") }.map { $0.value }.joined(separator: ",")
            set("tracestate", list)
        }
    }
}

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

extension ServerConnection {
    /// Finds the call's place in its trace, and begins its span if it is recorded. Handlers and logs see in the metadata
    /// where the call stands, and pass that on.
    ///
    /// - Returns: `nil` where calls are not traced.
    func beginTrace(_ stream: ServerStream, _ route: ServerRoute) -> TraceParent? {
        guard let tracer = shared.configuration.tracer, route.isTraced else { return nil }
        stream.metadata.mergeTrace()
        let decision = tracer.decide(stream.metadata["traceparent"], stream.metadata["tracestate"])
        if !decision.isUnchanged { stream.metadata.set(decision.identity, state: decision.state) }
        if decision.isRecorded {
            let span = tracer.begin(decision, route.name, kind: .server)
            span.set("rpc.system.name", "grpc")
            span.set("rpc.method", .string(route.name))
            if let address = transport?.context?.remoteAddress, let host = address.ipAddress {
                span.set("client.address", .string(host))
                if let port = address.port { span.set("client.port", .int64(Int64(port))) }
            }
            stream.span = span
        }
        return decision.identity
    }
}
