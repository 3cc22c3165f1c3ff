import NIOCore
import NIOHTTP1
import RPC
import Testing

@testable import HTTP

/// Compares our parser with llhttp, of which NIOHTTP1 is made.
@Suite("HTTP/1.1 as the reference parser reads it", .timeLimit(.minutes(10)))
struct ReferenceTests {
    /// A request that only the reference accepts, and where our parser stopped.
    private struct Stricter {
        let head: HTTPRequestHead
        let rejection: HTTPRejection
        /// The line that our parser did not accept, without its end.
        let line: [UInt8]

        init(_ head: HTTPRequestHead, _ rejection: HTTPRejection, _ rest: [UInt8]) {
            self.head = head
            self.rejection = rejection
            line = Array(rest.prefix { $0 != UInt8(ascii: "\n") })
        }

        func contains(_ text: String) -> Bool { line.contains(sequence: Array(text.utf8)) }
        func values(_ name: String) -> [String] { head.headers[name].map { String($0.trimmedOfBlanks) } }
    }

    /// All reasons for which we reject what the reference reads.
    private static let stricter: [(reason: String, applies: @Sendable (Stricter) -> Bool)] = [
        (
            "Host occurs once in HTTP/1.1, and is an authority (RFC 9112 section 3.2)",
            {
                let hosts = $0.values("host")
                return hosts.count > 1 || (hosts.isEmpty && $0.head.version == .http1_1)
                    || hosts.contains { !$0.isEmpty && !Authority.isValid($0.utf8) }
            }
        ),
        (
            "the only transfer coding is one chunked, and only in HTTP/1.1 (RFC 9112 section 6.1)",
            {
                let codings = $0.values("transfer-encoding")
                return !codings.isEmpty
                    && (codings.map { $0.lowercased() } != ["chunked"] || $0.head.version == .http1_0)
            }
        ),
        (
            "the target has one of the forms of RFC 9112 section 3.2",
            { RequestTarget($0.head.uri, method: $0.head.method == .OPTIONS ? .OPTIONS : .GET) == nil }
        ),
        (
            "the method is one of HTTP's, and not CONNECT (RFC 9110 section 9.1)",
            { stricter in
                let name = stricter.line.prefix { $0 != UInt8(ascii: " ") }
                let method = name.withUnsafeBytes { HTTPRequest.Method(registered: $0) }
                return method == nil || method == .CONNECT
            }
        ),
        ("a request line has single spaces (RFC 9112 section 3)", { $0.contains("  ") }),
        (
            "only whole empty lines come before a request (RFC 9112 section 2.2)",
            { $0.line.isEmpty || $0.line.first == UInt8(ascii: "\r") }
        ),
        ("the protocol is HTTP/1, not RTSP, ICE or another HTTP (RFC 9110 section 2.5)", { !$0.contains(" HTTP/1.") }),
        ("a body's length is less than Int.max", { $0.rejection == .bodyTooLarge }),
        ("limits count whole lines", { $0.rejection == .headersTooLarge }),
    ]

    /// The same within chunked bodies.
    private static let stricterInChunks: [(reason: String, applies: @Sendable (Stricter) -> Bool)] = [
        ("an extension's value is not empty, and a token has no quotes (RFC 9112 section 7.1.1)", { $0.contains(";") }),
        ("a chunk's size is less than Int.max", { $0.rejection == .bodyTooLarge }),
        ("limits count whole lines", { $0.rejection == .headersTooLarge }),
    ]

    /// What only we accept: a tab is a blank, also behind a length or a coding (RFC 9110 section 5.6.3), and a minor
    /// version above 1 means 1.1 (section 2.5).
    private static let laxer = ["\t\r\n", "\t \r\n"] + (2...9).map { " HTTP/1.\($0)\r\n" }

    /// What is different in the two readings and has no reason; `nil` if there is nothing.
    private func difference(_ bytes: [UInt8]) throws -> String? {
        let ours = Reading(bytes)
        let reference = try ReferenceReading(bytes)
        let isLaxer = Self.laxer.contains { bytes.contains(sequence: Array($0.utf8)) }
        for (index, request) in ours.requests.enumerated() {
            guard index < reference.requests.count else { return isLaxer ? nil : "we accept \(request.summary)" }
            let other = reference.requests[index]
            guard request.line == other.line else { return "\(request.line) is \(other.head.uri)" }
            guard request.fields == other.fields else { return "\(request.fields) are \(other.fields)" }
            guard !request.isPersistent || other.head.isKeepAlive else { return "\(request.summary) is the last" }
            guard request.isComplete else { continue }
            guard other.isComplete, request.body == other.body else {
                return isLaxer ? nil : "the body is \(other.body), \(other.isComplete), not \(request.summary)"
            }
        }
        guard let rejection = ours.rejection else { return nil }
        if let last = ours.requests.last, !last.isComplete {
            let other = reference.requests[ours.requests.count - 1]
            let stricter = Stricter(other.head, rejection, ours.rest)
            let isExplained = !other.isComplete || Self.stricterInChunks.contains { $0.applies(stricter) }
            return isExplained ? nil : "we reject the body of \(last.summary): \(rejection)"
        }
        guard ours.requests.count < reference.requests.count else { return nil }
        let head = reference.requests[ours.requests.count].head
        let stricter = Stricter(head, rejection, ours.rest)
        return Self.stricter.contains { $0.applies(stricter) } ? nil : "we reject \(head): \(rejection)"
    }

    @Test("generated and changed requests are read alike, or rejected for a reason in the list", arguments: 1...8)
    func generated(seed: UInt64) throws {
        var generator = RequestGenerator(seed: seed)
        let end = ContinuousClock.now + .seconds(5)
        for number in 0..<500 where ContinuousClock.now < end {
            let bytes = generator.bytes()
            let text = String(decoding: bytes, as: UTF8.self).debugDescription
            if let difference = try difference(bytes) {
                Issue.record("seed \(seed), \(number): \(difference), in \(text)")
            }
            let whole = Reading(bytes)
            for _ in 0..<3 {
                let cuts = generator.cuts(bytes.count)
                #expect(
                    Reading(bytes, cuts: cuts).requests == whole.requests, "seed \(seed), \(number): \(cuts) of \(text)"
                )
                #expect(
                    Reading(bytes, cuts: cuts).rejection == whole.rejection,
                    "seed \(seed), \(number): \(cuts) of \(text)")
            }
        }
    }

    @Test("the generator makes requests of every kind")
    func kinds() {
        var generator = RequestGenerator(seed: 1)
        let readings = (0..<500).map { _ in Reading(generator.bytes()) }
        let accepted = readings.count { $0.rejection == nil && !$0.requests.isEmpty }
        #expect(accepted > 100 && accepted < 400, "\(accepted)")
        for rejection in [HTTPRejection.malformed, .notImplemented] {
            #expect(readings.contains { $0.rejection == rejection }, "\(rejection)")
        }
        #expect(readings.contains { $0.requests.count == 3 })
        #expect(readings.contains { $0.requests.contains { $0.isComplete && !$0.body.isEmpty } })
    }
}

extension Array<UInt8> {
    fileprivate func contains(sequence: [UInt8]) -> Bool {
        guard count >= sequence.count else { return false }
        return (0...(count - sequence.count)).contains { self[$0..<($0 + sequence.count)].elementsEqual(sequence) }
    }
}
