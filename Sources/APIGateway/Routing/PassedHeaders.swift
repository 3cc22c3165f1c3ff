import NIOHTTP1
import RPC
import Synchronization
import Traces

/// The request headers that go on to a service as metadata, and no others.
struct PassedHeaders {
    /// In order, names in lower case, `x-request-id` always among them.
    private(set) var metadata = Metadata()
    /// The caller's, or one made here.
    private(set) var requestID = ""

    /// The longest `x-request-id` that is passed on, in bytes.
    static let requestIDBytesMax = 128

    /// A header that can't be passed on; the request is refused for it.
    private(set) var problem: GatewayError?

    private var traceParent: String?
    private var traceState: String?

    init(_ headers: HTTPHeaders, ids: RequestIDs) {
        for (name, untrimmed) in headers {
            guard let passed = Self.passedName(name) else { continue }
            let value = Self.trimmed(untrimmed)
            // text: `passed` is one of our own names.
            if passed == "x-request-id" {
                if requestID.isEmpty, Self.isRequestID(value) { requestID = value }
                continue
            }
            // text: one of our own names.
            if passed.hasPrefix("trace") {
                noteTrace(passed, value)
                continue
            }
            // What metadata can carry (gRPC over HTTP/2, "ASCII-Value").
            guard value.isPrintableASCII else {
                problem = GatewayError(400, "header \(passed): not printable ASCII")
                continue
            }
            metadata.add(passed, value)
        }
        if requestID.isEmpty { requestID = ids.next() }
        metadata.add("x-request-id", requestID)
    }

    /// Adds the client's address for the services. A header of that name is not among those that are passed on, so the
    /// address never comes from the caller.
    mutating func add(clientAddress: String) {
        if !clientAddress.isEmpty { metadata.add("x-client-address", clientAddress) }
    }

    /// Without `authorization` and `token`.
    var withoutCredentials: PassedHeaders {
        var passed = self
        passed.metadata.remove("authorization")
        passed.metadata.remove("token")
        return passed
    }

    private mutating func noteTrace(_ name: String, _ value: String) {
        // text: one of our own names.
        if name == "traceparent" {
            // Two of them are none: nobody knows which is meant.
            traceParent = traceParent == nil ? value : ""
        } else {
            // A list may be spread over headers (RFC 9110 section 5.3).
            traceState = traceState.map { "\($0),\(value)" } ?? value
        }
    }

    /// Finds the request's place in a trace, the caller's or a new one, and adds it to ``metadata``. What a caller says
    /// wrongly about it is no reason to refuse the request.
    mutating func enterTrace(_ tracer: SpanTracer) -> SpanTracer.Arrival {
        let arrival = tracer.arrival(traceParent, traceState)
        if arrival.isUnchanged, let traceParent {
            metadata.add("traceparent", traceParent)
        } else {
            metadata.add("traceparent", arrival.identity.text)
        }
        if let state = arrival.state { metadata.add("tracestate", state) }
        return arrival
    }

    /// The header's name in lower case if it is passed on. By length first: most headers are none of these.
    private static func passedName(_ name: String) -> String? {
        let passed: String
        switch name.utf8.count {
        case 5: passed = "token"
        case 10: passed = "tracestate"
        case 11: passed = "traceparent"
        case 12: passed = "x-request-id"
        case 13: passed = "authorization"
        case 15: passed = "idempotency-key"
        default: return nil
        }
        for (byte, expected) in zip(name.utf8, passed.utf8) {
            let isUpper = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
            guard (isUpper ? byte | 0x20 : byte) == expected else { return nil }
        }
        return passed
    }

    /// Space around a value is no part of it (RFC 9110 section 5.5), and HTTP/2 lets none through.
    private static func trimmed(_ value: String) -> String {
        let trimmed = value.trimmedOfBlanks
        return trimmed.utf8.count == value.utf8.count ? value : String(trimmed)
    }

    private static func isRequestID(_ value: String) -> Bool {
        (1...requestIDBytesMax).contains(value.utf8.count) && value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    }
}

/// Makes request ids: 32 hexadecimal digits, never the same twice in a process, and hardly in two.
final class RequestIDs: Sendable {
    private let prefix: String
    private let counter: Atomic<UInt64>

    init() {
        var random = SystemRandomNumberGenerator()
        prefix = Self.hexadecimal(random.next())
        counter = Atomic(random.next())
    }

    func next() -> String {
        // The multiplier is odd, so no two counts give the same product; neighbours just don't look alike.
        let (_, count) = counter.wrappingAdd(1, ordering: .relaxed)
        return prefix + Self.hexadecimal(count &* 0x9e37_79b9_7f4a_7c15)
    }

    private static func hexadecimal(_ value: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { bytes in
            for index in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - index * 4)) & 0xf
                bytes[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            }
            return 16
        }
    }
}
