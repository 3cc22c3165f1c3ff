import Testing

@testable import RPC

@Suite("Reading an answer")
struct ResponseReaderTests {
    private struct Answer {
        var reader = ResponseReader()

        /// Reads a whole section. False when a field of it is not wanted.
        @discardableResult
        mutating func fields(_ fields: [(String, String)], bytesMax: Int = 16_384) -> Bool {
            var isTaken = true
            for (name, value) in fields {
                Array(name.utf8).withUnsafeBytes { name in
                    Array(value.utf8).withUnsafeBytes {
                        if !reader.receive(name, $0, bytesMax: bytesMax) { isTaken = false }
                    }
                }
            }
            reader.endSection()
            return isTaken
        }

        mutating func data(_ bytes: [UInt8], bytesMax: Int = 100) -> Bool {
            bytes.withUnsafeBytes { reader.receive($0, bytesMax: bytesMax) }
        }

        mutating func end(_ code: HTTP2ErrorCode = .noError, wasNeverSent: Bool = false) -> ClientCall.Outcome {
            reader.outcome(code, hasEnded: code == .noError, wasNeverSent: wasNeverSent)
        }
    }

    private func code(_ outcome: ClientCall.Outcome) -> Status.Code {
        if case .failure(let status) = outcome.result { status.code } else { .ok }
    }

    private func outcome(
        _ code: HTTP2ErrorCode, after fields: [(String, String)] = [], wasNeverSent: Bool = false
    ) -> ClientCall.Outcome {
        var answer = Answer()
        answer.fields(fields)
        return answer.end(code, wasNeverSent: wasNeverSent)
    }

    private let good = [(":status", "200"), ("content-type", "application/grpc+proto")]

    @Test("headers, a message and trailers are a good answer")
    func ok() throws {
        var answer = Answer()
        answer.fields([(":status", "103")])
        answer.fields(good)
        let isTaken = answer.data(FramedMessage([1, 2]).framed)
        #expect(isTaken)
        answer.fields([("grpc-status", "0")])
        let message = try answer.end().result.get()
        #expect(message == [1, 2])
    }

    @Test("trailers alone carry status, text and metadata")
    func trailersOnly() {
        var answer = Answer()
        answer.fields(good + [("grpc-status", "5"), ("grpc-message", "kein Schiff f%C3%BCr 3"), ("retry-after", "7")])
        let outcome = answer.end()
        #expect(!outcome.isTransportFailure)
        #expect(throws: Status(.notFound, "kein Schiff für 3", metadata: ["retry-after": "7"])) {
            try outcome.result.get()
        }
    }

    @Test(
        "unknown codes are UNKNOWN",
        arguments: ["17", "-1", "x", "", "+5", " 5", "5 ", "0x5", "\u{661}", "99999999999999999999"])
    func unknownCode(text: String) {
        var answer = Answer()
        answer.fields(good + [("grpc-status", text)])
        let ending = code(answer.end())
        #expect(ending == .unknown)
    }

    @Test(
        "an answer that is not gRPC's is mapped from its HTTP status",
        arguments: [
            ("400", .internal), ("401", .unauthenticated), ("403", .permissionDenied), ("404", .unimplemented),
            ("429", .unavailable), ("502", .unavailable), ("503", .unavailable), ("504", .unavailable),
            ("200", .unknown), ("500", .unknown), ("99999999999999999999", .unknown),
        ] as [(String, Status.Code)])
    func http(status: String, expected: Status.Code) {
        var answer = Answer()
        answer.fields([(":status", status), ("content-type", "text/html")])
        let isTaken = answer.data(Array("<html>".utf8))
        #expect(isTaken)
        let outcome = answer.end()
        #expect(code(outcome) == expected || status.count > 3)
        #expect(!outcome.wasNeverProcessed)
    }

    @Test("a refused stream was surely not processed, a reset one may have been")
    func refused() {
        #expect(outcome(.refusedStream).wasNeverProcessed)
        #expect(outcome(.cancel, wasNeverSent: true).wasNeverProcessed)
        let failed = outcome(.internalError)
        #expect(!failed.wasNeverProcessed)
        #expect(failed.isTransportFailure)
        #expect(!outcome(.refusedStream, after: good).wasNeverProcessed)
    }

    @Test("what can't be taken is refused and decides the outcome")
    func hostile() {
        let cases: [([UInt8], Status.Code)] = [
            ([1, 0, 0, 0, 0], .internal), ([2, 0, 0, 0, 0], .internal), ([0, 255, 255, 255, 255], .resourceExhausted),
            ([0, 0, 0, 0, 0, 0], .unimplemented),
        ]
        for (bytes, expected) in cases {
            var answer = Answer()
            answer.fields(good)
            let isTaken = answer.data(bytes)
            #expect(!isTaken)
            answer.fields([("grpc-status", "0")])
            let ending = code(answer.end())
            #expect(ending == expected)
        }
    }

    @Test("OK without a message, or with half of one, is no answer")
    func cutShort() {
        for bytes: [UInt8] in [[], [0, 0], [0, 0, 0, 0, 2, 1]] {
            var answer = Answer()
            answer.fields(good)
            let isTaken = answer.data(bytes)
            #expect(isTaken)
            answer.fields([("grpc-status", "0")])
            let ending = code(answer.end())
            #expect(ending == .internal)
        }
    }

    @Test("a header list above the bound is RESOURCE_EXHAUSTED")
    func headers() {
        var answer = Answer()
        answer.fields(good + [("a", String(repeating: "x", count: 200)), ("grpc-status", "0")], bytesMax: 200)
        let ending = code(answer.end())
        #expect(ending == .resourceExhausted)
    }

    @Test("trailers are not headers, headers are not trailers, and informational responses are neither")
    func sections() throws {
        let status = [("grpc-status", "0")]
        let foreign = [(":status", "200"), ("content-type", "text/html")]
        let early = [(":status", "103"), ("content-type", "application/grpc"), ("grpc-status", "0"), ("x-a", "early")]
        let message = FramedMessage([7]).framed
        let cases:
            [(name: String, head: [[(String, String)]], body: [UInt8], trailers: [(String, String)]?, Status.Code)] =
                [
                    (
                        "content-type in the trailers", [foreign], message,
                        [("content-type", "application/grpc")] + status, .unknown
                    ),
                    ("the status in the header alone", [good + status], message, nil, .unknown),
                    ("the status in the header, trailers without", [good + status], message, [("x-a", "b")], .unknown),
                    ("the status in the header, empty trailers", [good + status], message, [], .unknown),
                    ("another status in the header", [good + [("grpc-status", "5")]], message, status, .ok),
                    ("all of it in an informational response", [early, foreign], message, nil, .unknown),
                    ("a status in an informational response", [early, good], message, nil, .unknown),
                    ("an informational response before a good one", [early, early, good], message, status, .ok),
                    ("two statuses", [good], message, status + [("grpc-status", "5")], .unknown),
                    ("the same status twice", [good], message, status + status, .ok),
                    ("no status at all", [good], message, nil, .unknown),
                ]
        for (name, heads, body, trailers, expected) in cases {
            var answer = Answer()
            for head in heads { answer.fields(head) }
            _ = answer.data(body)
            if let trailers { answer.fields(trailers) }
            let outcome = answer.end()
            let seen = code(outcome)
            #expect(seen == expected, "\(name)")
            #expect(!outcome.isTransportFailure, "\(name)")
        }
    }

    @Test("metadata of the header is not part of the status, unless there is nothing but the header")
    func metadata() {
        var answer = Answer()
        answer.fields([(":status", "103"), ("x-a", "early")])
        answer.fields(good + [("x-a", "header"), ("grpc-message", "header")])
        _ = answer.data([0, 0])
        answer.fields([("grpc-status", "8"), ("retry-after", "3")])
        let outcome = answer.end()
        #expect(throws: Status(.resourceExhausted, "", metadata: ["retry-after": "3"])) { try outcome.result.get() }
    }

    @Test("a status before the end of the answer does not count")
    func statusWithoutEnd() {
        let failed = outcome(.internalError, after: good + [("grpc-status", "0")])
        #expect(code(failed) == .internal)
        #expect(failed.isTransportFailure)
    }

    @Test(
        "only application/grpc is gRPC",
        arguments: [
            ("application/grpc", true), ("application/grpc+proto", true), ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", false), ("application/grpc-web+proto", false), ("application/grpcx", false),
            ("application/grpc+json", false), ("", false), ("text/html", false), ("APPLICATION/GRPC", true),
            ("Application/gRPC+Proto ; x=y", true), ("application/grpc \t;", true), ("application/grpc x", false),
            ("application/grpc ;x", true), ("application/grpc+PROTOS", false), (";application/grpc", false),
        ])
    func contentType(type: String, isGRPC: Bool) {
        var answer = Answer()
        answer.fields([(":status", "200"), ("content-type", type)])
        _ = answer.data(FramedMessage([7]).framed)
        answer.fields([("grpc-status", "0")])
        let seen = code(answer.end())
        #expect(seen == (isGRPC ? .ok : .unknown))
    }

    @Test("of a body that is not gRPC at most 64 KiB are read, and of headers at most the limit; reported once")
    func endless() {
        var page = Answer()
        page.fields([(":status", "503"), ("content-type", "text/html")])
        let pieces = (0..<100).map { _ in page.data([UInt8](repeating: 0x20, count: 1_024)) }
        let ending = code(page.end(.cancel))
        #expect(pieces == [Bool](repeating: true, count: 64) + [Bool](repeating: false, count: 36))
        #expect(ending == .unavailable)

        var early = Answer()
        var unwanted = 0
        for _ in 0..<1_000 where !early.fields([(":status", "103"), ("link", "</a>")]) { unwanted += 1 }
        #expect(unwanted == 1)
        let exhausted = code(early.end(.cancel))
        #expect(exhausted == .resourceExhausted)
    }
}
