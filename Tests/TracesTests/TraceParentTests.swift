import Testing

@testable import Traces

@Suite("traceparent and tracestate")
struct TraceParentTests {
    static let trace = "0af7651916cd43dd8448eb211c80319c"
    static let span = "b7ad6b7169203331"

    @Test("what is written is what was read")
    func roundTrip() throws {
        for flags in ["00", "01"] {
            let text = "00-\(Self.trace)-\(Self.span)-\(flags)"
            let parent = try #require(TraceParent(text))
            #expect(parent.text == text)
            #expect(parent.traceID == Self.trace)
            #expect(parent.isSampled == (flags == "01"))
        }
    }

    @Test("other flags are taken off, and later versions are read as far as they are known")
    func future() throws {
        let random = try #require(TraceParent("00-\(Self.trace)-\(Self.span)-03"))
        #expect(random.text.hasSuffix("-01"))
        let unsampled = try #require(TraceParent("00-\(Self.trace)-\(Self.span)-fe"))
        #expect(!unsampled.isSampled)
        for text in ["cc-\(Self.trace)-\(Self.span)-01", "01-\(Self.trace)-\(Self.span)-01-what-the-future-says"] {
            let parent = try #require(TraceParent(text))
            #expect(parent.text == "00-\(Self.trace)-\(Self.span)-01")
        }
    }

    @Test(
        "what is malformed is no trace",
        arguments: [
            "", "00", "00-", "-", String(repeating: "-", count: 55), "ff-\(trace)-\(span)-01",
            "00-\(trace)-\(span)-0", "00-\(trace)-\(span)-011", "00-\(trace)-\(span)-01-more",
            "01-\(trace)-\(span)-01more", "00-\(trace.uppercased())-\(span)-01", "00-\(trace)-\(span)-0G",
            "00_\(trace)-\(span)-01", "00-\(String(repeating: "0", count: 32))-\(span)-01",
            "00-\(trace)-0000000000000000-01", " 00-\(trace)-\(span)-01", "00-é\(trace.dropFirst(2))-\(span)-01",
            String(repeating: "a", count: 300),
        ])
    func malformed(text: String) {
        #expect(TraceParent(text) == nil)
    }

    @Test("a tracestate is passed on as it came, or not at all")
    func states() {
        for good in ["a=b", "a=b,c@d=e/f", "a=b, ,c=d", " a=b ", "0a/x*_-=!~"] {
            #expect(TraceState.checked(good) == good)
        }
        let many = (0..<33).map { "k\($0)=v" }.joined(separator: ",")
        let long = "a=" + String(repeating: "b", count: 511)
        for bad in ["", ",", "a", "=b", "A=b", "a=b=c", "a=", "é=b", "a=é", "a=\u{1}", many, long] {
            #expect(TraceState.checked(bad) == nil, "\(bad)")
        }
        #expect(TraceState.checked(nil) == nil)
    }

    @Test("ids are never the same")
    func ids() {
        var seen: Set<UInt64> = []
        for _ in 0..<100_000 { seen.insert(TraceIDs.next()) }
        #expect(seen.count == 100_000 && !seen.contains(0))
    }
}
