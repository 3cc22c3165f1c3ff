import HTTP
import NIOCore
import RPC
import Traces
import Tracing

/// The spans of requests, by OpenTelemetry's conventions for HTTP servers.
struct GatewayTrace: Sendable {
    private let tracer: SpanTracer
    private let scheme: String
    private let clients: ClientAddresses

    init(_ configuration: GatewayConfiguration) {
        tracer = configuration.tracer
        clients = ClientAddresses(proxies: configuration.trustedProxies)
        scheme = configuration.http.tls == nil ? "http" : "https"
    }

    /// Begins the request's span, and adds its trace context to what is forwarded.
    ///
    /// - Returns: `nil` when the request is not recorded.
    func begin(_ request: HTTPRequest, _ forwarded: inout ForwardedHeaders, _ table: RouteTable) -> TraceSpan? {
        let decision = forwarded.propagateTrace(tracer)
        guard decision.isRecorded else { return nil }
        let route = Self.route(of: request, table)
        let method = request.method.rawValue
        let span = tracer.begin(decision, route.map { "\(method) \($0)" } ?? method, kind: .server)
        span.set("http.request.method", .string(method))
        span.set("url.path", .string(request.path))
        span.set("url.scheme", .string(scheme))
        if let route { span.set("http.route", .string(route)) }
        if let host = request.headers[.host] {
            span.set("server.address", .string(HostPort(host)?.host ?? host))
            if let port = HostPort(host)?.port { span.set("server.port", .int64(Int64(port))) }
        }
        span.set("client.address", .string(clients.text(of: request)))
        return span
    }

    /// Ends a request's span. What the caller did wrong is no error of ours.
    static func end(_ span: TraceSpan, _ response: HTTPResponse) {
        let code = response.status.code
        span.set("http.response.status_code", .int64(Int64(code)))
        if code >= 500 {
            span.set("error.type", .string("\(code)"))
            span.setStatus(SpanStatus(code: .error))
        }
        span.end()
    }

    /// The path with names in place of what callers choose, as metrics have it; `nil` where there is none.
    private static func route(of request: HTTPRequest, _ table: RouteTable) -> String? {
        if let path = GatewayPath(exactly: request.path), path == .rpc || path == .login { return path.route }
        let entry = try? table.find(path: request.path)
        return entry == nil ? nil : GatewayPath.method.route
    }
}

extension NetworkAddress {
    /// As people write it.
    var text: String? {
        var bytes = ByteBuffer()
        if isIPv4 {
            bytes.writeInteger(UInt32(truncatingIfNeeded: bits))
        } else {
            bytes.writeInteger(bits)
        }
        let address = try? SocketAddress(packedIPAddress: bytes, port: 0)
        return address?.ipAddress
    }
}
