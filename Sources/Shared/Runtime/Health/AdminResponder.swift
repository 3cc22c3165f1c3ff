import HTTP
import NIOCore
import NIOHTTP1

/// Answers `/healthz`, `/readyz` and `/metrics` for probes and collectors.
public struct AdminResponder: HTTPResponder {
    private let readiness: Readiness
    private let metrics: MetricsRegistry

    public init(readiness: Readiness, metrics: MetricsRegistry) {
        self.readiness = readiness
        self.metrics = metrics
    }

    public func respond(to request: HTTPRequest) async -> HTTPResponse {
        guard let answer = route(request.path) else {
            return Self.text(.notFound, "there are /healthz, /readyz and /metrics\n")
        }
        guard request.method == .GET || request.method == .HEAD else {
            var response = Self.text(.methodNotAllowed, "only GET and HEAD\n")
            response.headers.add(name: "allow", value: "GET, HEAD")
            return response
        }
        return answer()
    }

    private func route(_ path: String) -> (() -> HTTPResponse)? {
        switch path {
        case "/healthz":
            return { Self.text(.ok, "ok\n") }
        case "/readyz":
            return {
                let report = readiness.report()
                return Self.response(
                    report.isReady ? .ok : .serviceUnavailable, "application/json", report.json)
            }
        case "/metrics":
            return { Self.response(.ok, PrometheusText.contentType, metrics.render()) }
        default:
            return nil
        }
    }

    public func respond(refusing refusal: HTTPRefusal) -> HTTPResponse {
        switch refusal {
        case .malformed: Self.text(.badRequest, "not an HTTP request\n")
        case .timeout: Self.text(.requestTimeout, "the request took too long\n")
        case .bodyTooLarge: Self.text(.payloadTooLarge, "the body is too large\n")
        case .headersTooLarge: Self.text(.requestHeaderFieldsTooLarge, "the header is too large\n")
        }
    }

    private static func text(_ status: HTTPResponseStatus, _ text: String) -> HTTPResponse {
        response(status, "text/plain; charset=utf-8", text)
    }

    private static func response(
        _ status: HTTPResponseStatus, _ contentType: String, _ body: String
    ) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: ["content-type": contentType, "cache-control": "no-store"],
            body: ByteBuffer(string: body))
    }
}
