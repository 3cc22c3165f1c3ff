extension Metadata {
    /// The token of `authorization: Bearer TOKEN` or of `token: TOKEN`.
    public var bearerToken: String? {
        if let value = self["authorization"], let token = Self.bearerToken(in: value) { return token }
        return self["token"]
    }

    /// The credentials after the scheme, which is `Bearer` in any case, and one or more spaces (RFC 9110 section 11.4).
    private static func bearerToken(in value: String) -> String? {
        let isSpace: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") }
        let credentials = value.utf8.drop(while: isSpace)
        guard let end = credentials.firstIndex(where: isSpace),
            Substring(credentials[..<end]).hasSameBytes(asAnyCaseOf: "bearer")
        else { return nil }
        let token = credentials[end...].drop(while: isSpace)
        return token.isEmpty ? nil : String(Substring(token))
    }

    /// The fields that tie the calls of one request together. A handler adds them to the calls that it makes meanwhile.
    public var propagated: Metadata {
        var propagated = Metadata()
        for name in ["x-request-id", "traceparent", "tracestate", Self.attempts] {
            if let value = self[name] { propagated.add(name, value) }
        }
        return propagated
    }

    /// How often a call was tried before (gRFC A6).
    static let attempts = "grpc-previous-rpc-attempts"

    /// Whether the call was tried before.
    var isRetry: Bool { !isEmpty && self[Self.attempts] != nil }

    mutating func setPreviousAttempts(_ attempts: Int) { set(Self.attempts, String(attempts)) }
}

extension Status {
    /// When to come back, where the service said so: to pass on to one's own caller.
    public var retryAfter: Metadata {
        metadata["retry-after"].map { ["retry-after": $0] } ?? [:]
    }
}
