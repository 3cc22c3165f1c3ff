import HTTP
import RPC
import Synchronization
import Traces

/// The request headers that are forwarded to a service as metadata.
struct ForwardedHeaders {
    /// In order, names in lower case, `x-request-id` always among them.
    private(set) var metadata = Metadata()
    /// The caller's, or one made here.
    private(set) var requestID = ""

    /// The longest `x-request-id` that is forwarded, in bytes.
    static let requestIDBytesMax = 128

    /// What is wrong with a header that can't be forwarded.
    private var problemText: String?

    private var traceParent: String?
    private var traceState: String?

    init(_ headers: HTTPFields, ids: RequestIDs) {
        for (name, metadataName) in Self.copied {
            var first: String?
            headers.forEachValue(of: name) { value in
                if let first {
                    // Which of two is meant is unknown: a proxy may have checked another than the service reads.
                    if !value.hasSameBytes(as: first) {
                        problemText = "header \(metadataName) is given twice"
                    }
                    return
                }
                first = value
                // gRPC's "ASCII-Value" is what metadata can carry.
                if value.isPrintableASCII {
                    metadata.add(metadataName, value)
                } else {
                    problemText = "header \(metadataName): not printable ASCII"
                }
            }
        }
        // Two of them are none, as it is unknown which is meant.
        let parents = headers.values(of: .traceparent)
        traceParent = parents.count > 1 ? "" : parents.first
        // A list may be spread over headers (RFC 9110 section 5.3).
        let states = headers.values(of: .tracestate)
        traceState = states.isEmpty ? nil : states.joined(separator: ",")
        requestID = headers.values(of: .requestID).first(where: Self.isRequestID) ?? ""
        if requestID.isEmpty { requestID = ids.next() }
        metadata.add("x-request-id", requestID)
    }

    /// The error of a header that can't be forwarded; it rejects the request.
    var problem: GatewayError? { problemText.map { GatewayError(400, $0) } }

    /// Adds the client's address for the services. A header of that name is not among those that are forwarded, so the
    /// address never comes from the caller.
    mutating func add(clientAddress: String) {
        if !clientAddress.isEmpty { metadata.add("x-client-address", clientAddress) }
    }

    /// Empty when none was added.
    var clientAddress: String { metadata["x-client-address"] ?? "" }

    /// Removes `authorization` and `token`.
    mutating func removeCredentials() {
        metadata.remove("authorization")
        metadata.remove("token")
    }

    /// Adds the request's trace context, the caller's or a new one, to ``metadata``. A malformed one counts as missing.
    mutating func propagateTrace(_ tracer: SpanTracer) -> SpanTracer.SamplingDecision {
        let decision = tracer.decide(traceParent, traceState)
        if decision.isUnchanged, let traceParent {
            metadata.add("traceparent", traceParent)
        } else {
            metadata.add("traceparent", decision.identity.text)
        }
        if let state = decision.state { metadata.add("tracestate", state) }
        return decision
    }

    /// Headers whose values become metadata as they are. Each has one value (RFC 9110 section 5.3).
    private static let copied: [(name: HTTPFields.Name, metadataName: String)] = [
        (.authorization, "authorization"), (.token, "token"), (.idempotencyKey, "idempotency-key"),
    ]

    private static func isRequestID(_ value: String) -> Bool {
        (1...requestIDBytesMax).contains(value.utf8.count) && value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    }
}

/// Makes request ids: 32 hexadecimal digits, never the same twice in a process, and hardly in two.
final class RequestIDs: Sendable {
    private let prefix: UInt64
    private let counter: Atomic<UInt64>

    init() {
        var random = SystemRandomNumberGenerator()
        prefix = random.next()
        counter = Atomic(random.next())
    }

    func next() -> String {
        // The multiplier is odd, so no two counts give the same product; neighbours just don't look alike.
        let (_, count) = counter.wrappingAdd(1, ordering: .relaxed)
        return Hexadecimal.text(prefix, count &* 0x9e37_79b9_7f4a_7c15)
    }
}
