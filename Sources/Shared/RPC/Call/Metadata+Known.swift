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
        for name in ["x-request-id", "traceparent", "tracestate"] {
            if let value = self[name] { trace.add(name, value) }
        }
        return trace
    }
}
