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
