import HTTP
import NIOCore
import RPC

/// Refusing requests before anything is done for them.
extension GatewayResponder {
    /// The answer to a request that is refused for its address; `nil` for one that may go on.
    ///
    /// Probes may always.
    func refusal(of request: HTTPRequest) -> HTTPResponse? {
        if let limiter, GatewayPath(exactly: request.path)?.isProbe != true,
            let seconds = limiter.refusal(of: request)
        {
            return refused("too many requests from this address; try again in \(seconds) s", seconds)
        }
        return nil
    }

    /// Callers come back after a few seconds, and not all at the same moment.
    func overloaded(_ now: NIODeadline) -> HTTPResponse {
        overloadedAnswers[Int(truncatingIfNeeded: now.uptimeNanoseconds >> 10) % overloadedAnswers.count]
    }

    func refused(_ detail: String, _ seconds: Int) -> HTTPResponse {
        Self.refused(detail, seconds, namespace: namespace)
    }

    /// Made once, as there may be many.
    static func overloadedAnswers(namespace: String) -> [HTTPResponse] {
        (1...4).map { refused("the service is overloaded; try again in \($0) s", $0, namespace: namespace) }
    }

    private static func refused(_ detail: String, _ seconds: Int, namespace: String) -> HTTPResponse {
        var error = GatewayError(429, detail)
        error.retryAfter = String(seconds)
        var response = error.response(namespace: namespace)
        complete(&response)
        return response
    }
}
