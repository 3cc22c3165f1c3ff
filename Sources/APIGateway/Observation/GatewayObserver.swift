import HTTP
import Logging
import NIOCore
import RPC
import Runtime

/// What metrics and the log say about a request, filled in while it is answered.
struct RequestRecord {
    let began: NIODeadline
    /// `nil` for paths that lead nowhere.
    var path: GatewayPath?
    /// The method that is called, once that is known.
    var entry: RouteTable.Entry?
}

/// Counts and logs what the gateway answers.
struct GatewayObserver: Sendable {
    /// `nil` counts nothing.
    var metrics: HTTPMetrics?
    /// `nil` logs nothing.
    var log: CallLog?

    func requestBegan(_ request: HTTPRequest) -> RequestRecord {
        metrics?.requestBegan(request.method)
        return RequestRecord(began: .now())
    }

    func requestEnded(
        _ request: HTTPRequest, _ record: RequestRecord, _ forwarded: ForwardedHeaders, _ response: HTTPResponse
    ) {
        let ended = NIODeadline.now()
        let nanoseconds = (ended - record.began).nanoseconds
        let status = response.status.code
        metrics?.requestEnded(
            request.method, route: record.path?.rawValue ?? -1, status: status, nanoseconds: nanoseconds)
        let level = record.path?.isProbe == true ? .debug : Self.level(status)
        guard let log, log.admits(level, ended) else { return }
        log.write(
            .init(
                level: level, method: Self.method(request, record), service: record.entry?.service, status: "\(status)",
                nanoseconds: nanoseconds, requestID: forwarded.requestID,
                traceparent: forwarded.metadata["traceparent"], peer: request.peer))
    }

    /// Records a request that was rejected for its address's rate.
    func rejected(_ request: HTTPRequest, _ response: HTTPResponse) {
        var record = requestBegan(request)
        if GatewayPath(exactly: request.path) == .rpc { record.path = .rpc }
        let status = response.status.code
        metrics?.requestEnded(request.method, route: record.path?.rawValue ?? -1, status: status, nanoseconds: 0)
        guard let log, log.admits(Self.level(status), record.began) else { return }
        log.write(
            .init(
                level: Self.level(status), method: Self.method(request, record), status: "\(status)", nanoseconds: 0,
                requestID: request.headers[.requestID], traceparent: request.headers[.traceparent],
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

    /// The RPC method where there is one, else the HTTP method and route; nothing that a caller made up.
    private static func method(_ request: HTTPRequest, _ record: RequestRecord) -> String {
        if let entry = record.entry { return entry.route.fullName }
        let method = HTTPMetrics.name(of: request.method)
        return record.path.map { "\(method) \($0.route)" } ?? method
    }

    private static func level(_ status: Int) -> Logger.Level {
        switch status {
        case 429, 501...505: .warning
        case 500...: .error
        default: .info
        }
    }
}
