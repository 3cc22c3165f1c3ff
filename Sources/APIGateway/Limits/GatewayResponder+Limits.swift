import HTTP
import NIOCore
import RPC

/// Rejects requests before anything is done for them.
extension GatewayResponder {
    /// Counts a request against its address's rate.
    ///
    /// - Returns: the answer to one above the rate; `nil` for others, and for all probes.
    func rateLimit(_ request: HTTPRequest) -> HTTPResponse? {
        if let limiter, GatewayPath(exactly: request.path)?.isProbe != true,
            let seconds = limiter.limit(request)
        {
            return tooManyRequests("too many requests from this address; try again in \(seconds) s", seconds)
        }
        return nil
    }

    /// Callers come back after a few seconds, and not all at the same moment.
    func overloaded(_ now: NIODeadline) -> HTTPResponse {
        overloadedAnswers[Int(truncatingIfNeeded: now.uptimeNanoseconds >> 10) % overloadedAnswers.count]
    }

    private func tooManyRequests(_ detail: String, _ seconds: Int) -> HTTPResponse {
        Self.tooManyRequests(detail, seconds, namespace: namespace)
    }

    /// Made once, as there may be many.
    static func overloadedAnswers(namespace: String) -> [HTTPResponse] {
        (1...4).map {
            tooManyRequests("the service is overloaded; try again in \($0) s", $0, namespace: namespace)
        }
    }

    private static func tooManyRequests(_ detail: String, _ seconds: Int, namespace: String) -> HTTPResponse {
        var error = GatewayError(429, detail)
        error.retryAfter = String(seconds)
        var response = error.response(namespace: namespace)
        complete(&response)
        return response
    }
}
