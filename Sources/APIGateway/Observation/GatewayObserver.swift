import HTTP
import Logging
import NIOCore
import RPC
import Runtime

/// Counts and logs what the gateway answers.
struct GatewayObserver: Sendable {
    /// `nil` counts nothing.
    var metrics: HTTPMetrics?
    /// `nil` logs nothing.
    var log: CallLog?

    func requestBegan(_ request: HTTPRequest) {
        metrics?.requestBegan(request.method)
    }

    func requestEnded(_ exchange: Exchange, _ response: HTTPResponse) {
        let ended = NIODeadline.now()
        let nanoseconds = (ended - exchange.began).nanoseconds
        let (method, path) = (exchange.request.method, exchange.path)
        let status = response.status.code
        metrics?.requestEnded(method, route: path?.rawValue ?? -1, status: status, nanoseconds: nanoseconds)
        let level = path?.isProbe == true ? .debug : Self.level(status)
        guard let log, log.admits(level, ended) else { return }
        log.write(
            .init(
                level: level, method: exchange.entry?.route.fullName ?? Self.name(method, path),
                service: exchange.entry?.service, status: "\(status)", nanoseconds: nanoseconds,
                requestID: exchange.forwarded.requestID, traceparent: exchange.forwarded.metadata["traceparent"],
                peer: exchange.request.peer))
    }

    /// Records a request that was rejected for its address's rate.
    func rejected(_ request: HTTPRequest, _ response: HTTPResponse) {
        requestBegan(request)
        let path: GatewayPath? = GatewayPath(exactly: request.path) == .rpc ? .rpc : nil
        let status = response.status.code
        metrics?.requestEnded(request.method, route: path?.rawValue ?? -1, status: status, nanoseconds: 0)
        guard let log, log.admits(Self.level(status), .now()) else { return }
        log.write(
            .init(
                level: Self.level(status), method: Self.name(request.method, path), status: "\(status)",
                nanoseconds: 0, requestID: request.headers[.requestID], traceparent: request.headers[.traceparent],
                peer: request.peer))
    }

    /// Records a request that the HTTP server rejected, without reading it to its end.
    func rejected(_ response: HTTPResponse) {
        let status = response.status.code
        let unread = HTTPRequest.Method.other(HTTPMetrics.otherMethod)
        metrics?.requestBegan(unread)
        metrics?.requestEnded(unread, route: -1, status: status, nanoseconds: 0)
        let level = Self.level(status)
        guard let log, log.admits(level, .now()) else { return }
        log.write(
            .init(
                level: level, method: HTTPMetrics.otherMethod, status: "\(status)", nanoseconds: 0, requestID: nil,
                traceparent: nil, peer: ""))
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
