import HTTP
import Logging
import NIOCore
import RPC

/// Answers `/healthz`, `/readyz` and `/metrics` for probes and collectors, and `/log_level` for people.
struct AdminResponder: HTTPResponder {
    let readiness: Readiness
    let metrics: MetricsRegistry
    var logLevels = LogLevelSwitch(.info)
    /// Is told of changes of the level.
    var logger: Logger?

    /// The largest body of a request, in bytes: a level's name has room.
    static let bodyBytesMax = 64

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        let isLogLevel = request.path.hasSameBytes(as: "/log_level")
        if isLogLevel, request.method == .PUT { return changeLevel(request) }
        guard let answer = route(request.path) else {
            return Self.text(.notFound, "there are /healthz, /readyz, /metrics and /log_level\n")
        }
        guard request.method == .GET || request.method == .HEAD else {
            let allowed = isLogLevel ? "GET, HEAD, PUT" : "GET, HEAD"
            var response = Self.text(.methodNotAllowed, "only \(allowed)\n")
            response.headers.add(name: "allow", value: allowed)
            return response
        }
        return answer()
    }

    /// Changes the level of all loggers at once, until the next change or the program's end.
    private func changeLevel(_ request: HTTPRequest) -> HTTPResponse {
        // A browser names the page that sends a PUT; no page has business here, whatever name it reached us by.
        guard request.headers["origin"].isEmpty else { return Self.text(.forbidden, "not from a page\n") }
        // text: at most `bodyBytesMax`.
        let name = String(buffer: request.body).split(whereSeparator: \.isWhitespace).joined()
        // text: bounded as above.
        guard let level = Logger.Level(rawValue: name.lowercased()) else {
            return Self.text(.badRequest, "that is not a log level; known are \(LogLevelSwitch.known)\n")
        }
        let before = logLevels.level
        // Whoever reads a log that falls silent, or loud, must find why: this line is in it whatever both levels are.
        logLevels.level = min(before, level, .notice)
        logger?.notice("log level changed", metadata: ["from": "\(before)", "to": "\(level)"])
        logLevels.level = level
        return Self.text(.ok, "\(level)\n")
    }

    private func route(_ path: String) -> (() -> HTTPResponse)? {
        if path.hasSameBytes(as: "/healthz") {
            return { Self.text(.ok, "ok\n") }
        } else if path.hasSameBytes(as: "/readyz") {
            return {
                let report = readiness.report()
                return Self.response(
                    report.isReady ? .ok : .serviceUnavailable, "application/json", report.json)
            }
        } else if path.hasSameBytes(as: "/metrics") {
            return { Self.response(.ok, PrometheusText.contentType, metrics.render()) }
        } else if path.hasSameBytes(as: "/log_level") {
            return { Self.text(.ok, "\(logLevels.level)\n") }
        }
        return nil
    }

    func respond(rejecting rejection: HTTPRejection) -> HTTPResponse {
        switch rejection {
        case .malformed: Self.text(.badRequest, "not an HTTP request\n")
        case .timeout: Self.text(.requestTimeout, "the request took too long\n")
        case .bodyTooLarge: Self.text(.payloadTooLarge, "the body is too large\n")
        case .outOfMemory: Self.text(.tooManyRequests, "too much memory is in use; try again\n")
        case .headersTooLarge: Self.text(.requestHeaderFieldsTooLarge, "the header is too large\n")
        case .notImplemented: Self.text(.notImplemented, "the method or the transfer coding is not known\n")
        case .versionNotSupported:
            Self.text(.httpVersionNotSupported, "the version of HTTP is not supported; HTTP/1.1 and HTTP/2 are\n")
        }
    }

    private static func text(_ status: HTTPResponse.Status, _ text: String) -> HTTPResponse {
        response(status, "text/plain; charset=utf-8", text)
    }

    private static func response(
        _ status: HTTPResponse.Status, _ contentType: String, _ body: String
    ) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: ["content-type": contentType, "cache-control": "no-store"],
            body: ByteBuffer(string: body))
    }
}
