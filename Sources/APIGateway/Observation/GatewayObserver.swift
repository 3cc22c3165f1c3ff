import HTTP
import Logging
import NIOCore
import RPC
import Runtime
import Traces
import Tracing

/// Tells metrics, log and traces of each request: once that it began, and once how it ended.
struct GatewayObserver: Sendable {
    /// `nil` counts no requests.
    var metrics: HTTPMetrics?
    /// Counts the calls that requests become; `nil` counts none.
    var calls: RPCMetrics?
    /// `nil` logs nothing.
    var log: CallLog?
    /// Gives requests their place in a trace, and records those that are sampled.
    var tracer = SpanTracer(buffer: nil)
    /// Of the gateway's own address: `http` or `https`.
    var scheme = "http"

    /// Begins the request's span, if it is recorded, and adds its trace context to what is forwarded.
    func requestBegan(_ exchange: Exchange, _ table: RouteTable) {
        metrics?.requestBegan(exchange.request.method)
        guard exchange.mayBecomeCall else { return }
        let decision = exchange.forwarded.propagateTrace(tracer)
        if decision.isRecorded { exchange.span = begin(decision, exchange, table) }
    }

    func requestEnded(_ exchange: Exchange, _ response: HTTPResponse) {
        let ended = NIODeadline.now()
        record(
            exchange.request.method, exchange.path, exchange.entry, response,
            nanoseconds: (ended - exchange.began).nanoseconds, at: ended, requestID: exchange.forwarded.requestID,
            traceparent: exchange.forwarded.metadata["traceparent"], peer: exchange.request.peer)
        if let span = exchange.span { end(span, response.status.code) }
    }

    /// The request begins and ends at once: it is rejected before anything is done for it.
    ///
    /// - Parameter request: `nil` when the HTTP server rejected it without reading it to its end.
    func requestRejected(_ request: HTTPRequest?, _ response: HTTPResponse) {
        let method = request?.method ?? .other(HTTPMetrics.otherMethod)
        let isRPC = request.map { GatewayPath(exactly: $0.path) == .rpc } ?? false
        metrics?.requestBegan(method)
        record(
            method, isRPC ? .rpc : nil, nil, response, nanoseconds: 0, at: .now(),
            requestID: request?.headers[.requestID], traceparent: request?.headers[.traceparent],
            peer: request?.peer ?? "")
    }

    /// Counts a request, and writes its line if it gets one.
    private func record(
        _ method: HTTPRequest.Method, _ path: GatewayPath?, _ entry: RouteTable.Entry?, _ response: HTTPResponse,
        nanoseconds: Int64, at ended: NIODeadline, requestID: @autoclosure () -> String?,
        traceparent: @autoclosure () -> String?, peer: String
    ) {
        let status = response.status.code
        metrics?.requestEnded(method, route: path?.rawValue ?? -1, status: status, nanoseconds: nanoseconds)
        let level = path?.isProbe == true ? .debug : Self.level(status)
        guard let log, log.admits(level, ended) else { return }
        log.write(
            .init(
                level: level, method: entry?.route.fullName ?? Self.name(method, path), service: entry?.service,
                status: "\(status)", nanoseconds: nanoseconds, requestID: requestID(), traceparent: traceparent(),
                peer: peer))
    }

    /// The HTTP method and route; nothing that a caller made up.
    private static func name(_ method: HTTPRequest.Method, _ path: GatewayPath?) -> String {
        let method = HTTPMetrics.name(of: method)
        return path.map { "\(method) \($0.route)" } ?? method
    }

    private static func level(_ status: Int) -> Logger.Level {
        switch status {
        case 429, 501...505: .warning
        case 500...: .error
        default: .info
        }
    }
}

/// The spans of requests, by OpenTelemetry's conventions for HTTP servers.
extension GatewayObserver {
    private func begin(
        _ decision: SpanTracer.SamplingDecision, _ exchange: Exchange, _ table: RouteTable
    ) -> TraceSpan {
        let route = Self.route(of: exchange.request, table)
        let method = exchange.request.method.rawValue
        let span = tracer.begin(decision, route.map { "\(method) \($0)" } ?? method, kind: .server)
        span.set("http.request.method", .string(method))
        span.set("url.path", .string(exchange.request.path))
        span.set("url.scheme", .string(scheme))
        if let route { span.set("http.route", .string(route)) }
        if let host = exchange.request.headers[.host] {
            span.set("server.address", .string(HostPort(host)?.host ?? host))
            if let port = HostPort(host)?.port { span.set("server.port", .int64(Int64(port))) }
        }
        span.set("client.address", .string(exchange.forwarded.clientAddress))
        return span
    }

    /// Ends a request's span. What the caller did wrong is no error of ours.
    private func end(_ span: TraceSpan, _ code: Int) {
        span.set("http.response.status_code", .int64(Int64(code)))
        if code >= 500 { span.fail("\(code)") }
        span.end()
    }

    /// The path with names in place of what callers choose, as metrics have it; `nil` where there is none.
    private static func route(of request: HTTPRequest, _ table: RouteTable) -> String? {
        if let path = GatewayPath(exactly: request.path), path == .rpc || path == .login { return path.route }
        let entry = try? table.find(path: request.path)
        return entry == nil ? nil : GatewayPath.method.route
    }
}
