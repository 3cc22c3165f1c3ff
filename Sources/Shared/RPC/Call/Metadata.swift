/// The key-value pairs that travel with a call: request headers or trailers.
///
/// Names are lower case; a name may occur more than once and order is kept. Binary values (names that end in `-bin`)
/// are kept as the base64 text of the wire. Values come from peers and may be any text, so names and values are
/// compared by their bytes.
public struct Metadata: Sendable, Equatable {
    public typealias Element = (name: String, value: String)

    @usableFromInline var pairs: [(name: String, value: String)]

    @inlinable public init() {
        pairs = []
    }

    /// The first value of `name`, which must be lower case.
    public subscript(name: String) -> String? {
        for pair in pairs where pair.name.hasSameBytes(as: name) { return pair.value }
        return nil
    }

    /// Adds a pair; `name` must be lower case.
    @inlinable public mutating func add(_ name: String, _ value: String) {
        pairs.append((name, value))
    }

    /// Makes room for `count` pairs at once.
    mutating func reserveCapacity(_ count: Int) {
        pairs.reserveCapacity(count)
    }

    /// Replaces every value of `name` by one.
    public mutating func set(_ name: String, _ value: String) {
        pairs.removeAll { $0.name.hasSameBytes(as: name) }
        pairs.append((name, value))
    }

    /// Takes every value of `name` out.
    public mutating func remove(_ name: String) {
        pairs.removeAll { $0.name.hasSameBytes(as: name) }
    }

    public static func == (left: Metadata, right: Metadata) -> Bool {
        left.pairs.elementsEqual(right.pairs) {
            $0.name.hasSameBytes(as: $1.name) && $0.value.hasSameBytes(as: $1.value)
        }
    }
}

extension Metadata {
    /// Name of the value by which a service knows a repeat of a call that it must not carry out twice.
    package static let idempotencyKey = "idempotency-key"

    /// Whether the call may be made again although it may have been processed.
    var hasIdempotencyKey: Bool { self[Self.idempotencyKey].map { !$0.utf8.isEmpty } ?? false }
}

extension Metadata: RandomAccessCollection {
    @inlinable public var startIndex: Int { 0 }
    @inlinable public var endIndex: Int { pairs.count }
    @inlinable public subscript(position: Int) -> Element { pairs[position] }
}

extension Metadata: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, String)...) {
        pairs = elements.map { (name: $0.0, value: $0.1) }
    }
}

extension Metadata {
    /// Largest header list of a call's metadata, in bytes. Servers accept 16 KiB, and the call's own fields (path,
    /// authority, deadline and so on) need up to 700 bytes.
    public static let headerListBytesMax = 16 * 1024 - 768

    /// Size as a header list, in bytes: name, value and 32 bytes for each pair (RFC 9113 section 6.5.2).
    public var headerListBytes: Int {
        reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + HTTP2Session.fieldOverheadBytes }
    }
}

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
