import Testing

@testable import RPC

@Suite("Reading an answer")
struct ResponseReaderTests {
    private struct Answer {
        var reader = ResponseReader()

        mutating func fields(_ fields: [(String, String)], bytesMax: Int = 16_384) {
            for (name, value) in fields {
                Array(name.utf8).withUnsafeBytes { name in
                    Array(value.utf8).withUnsafeBytes { reader.receive(name, $0, bytesMax: bytesMax) }
                }
            }
        }

        mutating func data(_ bytes: [UInt8], bytesMax: Int = 100) -> Bool {
            bytes.withUnsafeBytes { reader.receive($0, bytesMax: bytesMax) }
        }

        mutating func end(_ code: HTTP2ErrorCode = .noError, wasNeverSent: Bool = false) -> ClientCall.Outcome {
            reader.outcome(code, wasNeverSent: wasNeverSent)
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
        #expect(throws: Status(.notFound, "kein Schiff für 3", metadata: ["retry-after": "7"])) { try outcome.result.get() }
    }

    @Test("codes beyond the known are UNKNOWN", arguments: ["17", "-1", "x", "", "99999999999999999999"])
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
}
