import NIOCore
import Traces

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
