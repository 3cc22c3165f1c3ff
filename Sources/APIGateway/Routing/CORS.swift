import HTTP

/// Lets pages of every origin call the gateway: tokens travel in a header, there are no cookies to steal (Fetch
/// standard, "CORS protocol").
enum CORS {
    /// Headers of every response.
    static let headers: HTTPFields = [
        "access-control-allow-origin": "*", "access-control-expose-headers": "x-request-id, retry-after",
    ]

    /// The answer to `OPTIONS`, whether or not it is a preflight.
    ///
    /// - Parameter allow: methods that the path allows.
    static func preflight(allow: String) -> HTTPResponse {
        HTTPResponse(
            status: .noContent,
            headers: [
                "allow": allow,
                "access-control-allow-methods": "GET, HEAD, POST, OPTIONS",
                "access-control-allow-headers":
                    "authorization, content-type, idempotency-key, token, traceparent, tracestate, x-request-id",
                // Two hours; browsers cap it there anyway.
                "access-control-max-age": "7200",
            ])
    }
}
