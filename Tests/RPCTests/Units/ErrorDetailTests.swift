import Testing

@testable import RPC

/// Details of errors on the wire.
@Suite struct ErrorDetailTests {
    private static let details: [ErrorDetail] = [
        .badRequest([
            .init(field: "weight", description: "weight must be above 0"), .init(field: "", description: "ü\u{1F6A2}"),
        ]), .errorInfo(reason: "ID_TAKEN"), .retryInfo(milliseconds: 2_500), .retryInfo(milliseconds: 0),
    ]

    @Test("details come back as they were sent")
    func roundTrip() throws {
        let value = try #require(ErrorDetail.trailerValue(of: Status(.notFound, "text", details: Self.details)))
        #expect(value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f })
        #expect(ErrorDetail.details(inTrailer: value) == Self.details)
        #expect(ErrorDetail.trailerValue(of: Status(.notFound, "text")) == nil)
        #expect(
            Status(.resourceExhausted, metadata: ["retry-after": "30"]).allDetails == [.retryInfo(milliseconds: 30_000)]
        )
        #expect(
            Status(.resourceExhausted, metadata: ["retry-after": "x"]).allDetails == [.retryInfo(milliseconds: 1_000)])
    }

    @Test("what can never succeed has no time to retry after")
    func tooManyElements() {
        let status = Status.tooManyElements(in: "the message")
        #expect(status.code == .resourceExhausted && !status.canSucceedLater)
        #expect(status.allDetails == [.errorInfo(reason: "TOO_MANY_ELEMENTS")])
        #expect(Status(.resourceExhausted).canSucceedLater && !Status(.unavailable).canSucceedLater)
    }

    @Test("details that would not fit into the trailers are left out")
    func tooLarge() {
        let large = ErrorDetail.errorInfo(reason: String(repeating: "R", count: 9_000))
        #expect(ErrorDetail.trailerValue(of: Status(.notFound, "text", details: [large])) == nil)
    }

    @Test("what a peer made up is passed over, at whatever byte it is cut off or changed")
    func malformed() throws {
        let value = try #require(ErrorDetail.trailerValue(of: Status(.notFound, "text", details: Self.details)))
        let bytes = try #require(Base64.decode(value.utf8))
        for end in bytes.indices {
            #expect(ErrorDetail.details(inTrailer: Base64.encode(Array(bytes[..<end]))).count <= Self.details.count)
            var changed = bytes
            changed[end] ^= 0xff
            _ = ErrorDetail.details(inTrailer: Base64.encode(changed))
        }
        for text in ["", "!", "====", "AAAA", String(repeating: "A", count: 20_000)] {
            #expect(ErrorDetail.details(inTrailer: text).isEmpty, "\(text.prefix(10))")
        }
    }

    @Test("base64 is the standard's, with and without padding; both alphabets and padding are read")
    func base64() {
        for (text, encoded) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg")] {
            #expect(Base64.encode(Array(text.utf8)) == encoded)
            #expect(Base64.decode(encoded.utf8) == Array(text.utf8))
        }
        for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            #expect(Base64.encode(Array(text.utf8), isPadded: true) == encoded)
        }
        #expect(Base64.encode([0xff, 0xef, 0xbe]) == "/+++")
        #expect(Base64.encode([0xff, 0xef, 0xbe], alphabet: .url) == "_---")
        #expect(Base64.decode("Zg==".utf8) == [0x66])
        #expect(Base64.decode("_-8".utf8) == Base64.decode("/+8=".utf8))
        for wrong in ["Z", "Zg=A", "Z g", "Zg===", "Zü"] { #expect(Base64.decode(wrong.utf8) == nil, "\(wrong)") }
    }
}
