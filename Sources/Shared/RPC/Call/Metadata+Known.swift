extension Metadata {
    /// The token of `authorization: Bearer TOKEN` or of `token: TOKEN`.
    public var bearerToken: String? {
        if let value = self["authorization"] {
            let parts = value.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
            if parts.count == 2, parts[0].lowercased() == "bearer" { return String(parts[1]) }
        }
        return self["token"]
    }

    /// What ties the calls of one request together: goes along on every call that a handler makes for its caller.
    public var trace: Metadata {
        var trace = Metadata()
        for name in ["x-request-id", "traceparent", "tracestate", Self.attempts] {
            if let value = self[name] { trace.add(name, value) }
        }
        return trace
    }

    /// How often a call was tried before (gRFC A6).
    static let attempts = "grpc-previous-rpc-attempts"

    var isRepeat: Bool { !isEmpty && self[Self.attempts] != nil }

    mutating func noteRepeat(_ attempts: Int) { set(Self.attempts, String(attempts)) }
}

extension Status {
    /// When to come back, where the service said so: to pass on to one's own caller.
    public var retryAfter: Metadata {
        metadata["retry-after"].map { ["retry-after": $0] } ?? [:]
    }
}
