import NIOConcurrencyHelpers
import Testing
import Tracing

@testable import Traces

@Suite("Samplers, spans and the buffer")
struct SpanTracerTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let sampled = "00-\(trace)-b7ad6b7169203331-01"
    private static let unsampled = "00-\(trace)-b7ad6b7169203331-00"

    private func tracer(_ sampler: String, share: Double = 1, capacity: Int = 100) throws -> SpanTracer {
        SpanTracer(
            sampler: try #require(Sampler(sampler, share: share)),
            buffer: SpanBuffer(capacity: capacity, batchSize: capacity) {})
    }

    struct Rule: Sendable, CustomTestStringConvertible {
        var sampler: String
        var share = 1.0
        /// What becomes of a trace that begins here, of one that was sampled, and of one that was not.
        var root: Bool
        var sampled: Bool
        var unsampled: Bool
        var testDescription: String { "\(sampler) \(share)" }
    }

    @Test(
        "each sampler decides as its name says",
        arguments: [
            Rule(sampler: "always_on", root: true, sampled: true, unsampled: true),
            Rule(sampler: "always_off", root: false, sampled: false, unsampled: false),
            Rule(sampler: "traceidratio", share: 1, root: true, sampled: true, unsampled: true),
            Rule(sampler: "traceidratio", share: 0, root: false, sampled: false, unsampled: false),
            Rule(sampler: "parentbased_always_on", root: true, sampled: true, unsampled: false),
            Rule(sampler: "parentbased_always_off", root: false, sampled: true, unsampled: false),
            Rule(sampler: "parentbased_traceidratio", share: 0, root: false, sampled: true, unsampled: false),
        ])
    func samplers(rule: Rule) throws {
        let tracer = try tracer(rule.sampler, share: rule.share)
        for (given, expected) in [(nil, rule.root), (Self.sampled, rule.sampled), (Self.unsampled, rule.unsampled)] {
            let decision = tracer.decide(given, nil)
            #expect(decision.isRecorded == expected)
            // What goes on says what was decided, so that nobody decides otherwise.
            #expect(decision.identity.isSampled == expected)
            if given != nil { #expect(decision.identity.traceID == Self.trace) }
        }
    }

    @Test("a ratio takes its share, and the same traces whoever asks")
    func share() throws {
        let (few, more) = (
            try #require(Sampler("traceidratio", share: 0.01)),
            try #require(Sampler("parentbased_traceidratio", share: 0.05))
        )
        var counts = (few: 0, more: 0, strays: 0)
        for _ in 0..<100_000 {
            let id = TraceIDs.root { _ in false }
            let (isFew, isMore) = (few.decide(traceLow: id.traceLow), more.decide(traceLow: id.traceLow))
            if isFew { counts.few += 1 }
            if isMore { counts.more += 1 }
            if isFew && !isMore { counts.strays += 1 }
        }
        #expect((800...1_200).contains(counts.few))
        #expect((4_500...5_500).contains(counts.more))
        // Who records less records nothing that others leave out.
        #expect(counts.strays == 0)
        #expect(Sampler("traceidratio", share: 1.5) == nil && Sampler("traceidratio", share: -0.1) == nil)
        #expect(Sampler("traceidratio", share: .nan) == nil && Sampler("sometimes") == nil)
    }

    @Test("what is not sampled goes on unchanged, with its state, and makes no span")
    func unchanged() throws {
        let decision = try tracer("parentbased_always_on").decide(Self.unsampled, "a=b")
        #expect(decision.isUnchanged && !decision.isRecorded)
        #expect(decision.identity.text == Self.unsampled && decision.state == "a=b")
        // Nothing is recorded here, but others may.
        let idle = SpanTracer(buffer: nil).decide(Self.sampled, nil)
        #expect(idle.isUnchanged && !idle.isRecorded && idle.identity.text == Self.sampled)
        // A state that can't be passed on is not.
        #expect(try !tracer("parentbased_always_on").decide(Self.unsampled, "==").isUnchanged)
        let future = "cc" + Self.unsampled.dropFirst(2)
        #expect(try !tracer("parentbased_always_on").decide(String(future), nil).isUnchanged)
    }

    @Test("who leaves a sampled trace out says so under an id of its own")
    func leftOut() throws {
        let decision = try tracer("always_off").decide(Self.sampled, "a=b")
        #expect(!decision.isRecorded && !decision.isUnchanged && decision.state == "a=b")
        #expect(!decision.identity.isSampled && decision.identity.traceID == Self.trace)
        #expect(decision.identity.spanID != TraceParent(Self.sampled)?.spanID && decision.identity.spanID != 0)
        // Nothing is changed here.
        #expect(try tracer("always_off").decide(Self.unsampled, nil).identity.text == Self.unsampled)
    }

    @Test("a span is the child of the one it came from, and is finished once")
    func parents() throws {
        let tracer = try tracer("parentbased_always_on")
        let server = tracer.begin(tracer.decide(Self.sampled, "a=b"), "serve", kind: .server)
        ServiceContext.$current.withValue(server.context) {
            let inside = TraceSpan.current?.child("inside", kind: .internal)
            inside?.set("answer", 42)
            inside?.end()
        }
        server.set("answer", 1)
        server.end()
        server.end()
        server.set("late", 1)
        let spans = try #require(tracer.buffer).take(10)
        #expect(spans.map(\.name) == ["inside", "serve"])
        #expect(spans[0].parentSpanID == server.identity.spanID && spans[0].state == "a=b")
        #expect(spans[1].parentSpanID == 0xb7ad_6b71_6920_3331)
        #expect(spans.allSatisfy { $0.identity.traceID == Self.trace && $0.endNanoseconds >= $0.startNanoseconds })
        #expect(spans[0].details.attributes.get("answer") == 42)
        #expect(spans[1].details.attributes.count == 1)
    }

    @Test("what a span is told is bounded, and what is left out is counted")
    func bounds() throws {
        let tracer = try tracer("always_on")
        let span = tracer.begin(tracer.decide(nil, nil), String(repeating: "x", count: 5_000), kind: .internal)
        for index in 0..<1_000 {
            span.set("key\(index)", .int64(Int64(index)))
            span.addEvent(SpanEvent(name: "event"))
            span.addLink(span.identity)
        }
        span.set("key0", .string(String(repeating: "é", count: 100_000)))
        span.set("key1", .stringArray(Array(repeating: String(repeating: "a", count: 5_000), count: 1_000)))
        span.end()
        let finished = try #require(tracer.buffer?.take(1).first)
        let details = finished.details
        #expect(finished.name.utf8.count == 1_024)
        #expect(details.attributes.get("key0") == .string(String(repeating: "é", count: 512)))
        #expect(
            details.attributes.get("key1")
                == .stringArray(Array(repeating: String(repeating: "a", count: 1_024), count: 128)))
        #expect(details.attributes.count == 128 && details.droppedAttributes == 872)
        #expect(details.events.count == 128 && details.droppedEvents == 872)
        #expect(details.links.count == 128 && details.droppedLinks == 872)
    }

    @Test("of a long text the beginning is kept, also where it is all one character")
    func oneCharacter() {
        let text = "a" + String(repeating: "\u{301}", count: 8_192)
        #expect(text.count == 1)
        let kept = SpanDetails.bounded(text)
        // Scalars of two bytes follow the letter, so the last one doesn't fit.
        #expect(kept.utf8.count == 1_023)
        #expect(text.utf8.starts(with: kept.utf8))
        // Scalars of four bytes, cut at each place.
        for (shift, length) in [(0, 1_024), (1, 1_021), (2, 1_022), (3, 1_023)] {
            let ships = String(repeating: "x", count: shift) + String(repeating: "🚢", count: 1_000)
            #expect(SpanDetails.bounded(ships).utf8.count == length)
        }
    }

    @Test("a full buffer drops and counts, and keeps what it has")
    func buffer() throws {
        let wakeups = NIOLockedValueBox(0)
        let buffer = SpanBuffer(capacity: 5, batchSize: 3) { wakeups.withLockedValue { $0 += 1 } }
        let tracer = SpanTracer(buffer: buffer)
        for index in 0..<8 { tracer.begin(tracer.decide(nil, nil), "\(index)", kind: .internal).end() }
        #expect(buffer.count == 5 && buffer.dropped == 3)
        #expect(wakeups.withLockedValue { $0 } == 1)
        #expect(buffer.take(2).map(\.name) == ["0", "1"])
        #expect(buffer.take(10).map(\.name) == ["2", "3", "4"])
        #expect(buffer.take(10).isEmpty)
    }

    @Test("a buffer is bounded by bytes too, and a batch by what a message takes")
    func bufferBytes() {
        let buffer = ExportBuffer<String>(capacity: 100, bytesMax: 10, batchSize: 100) {}
        for item in ["aaaa", "bbbb", "ccc", "dd", "e"] { buffer.add(item, bytes: item.utf8.count) }
        #expect(buffer.count == 3 && buffer.dropped == 2)
        #expect(buffer.take(10, bytesMax: 8) == ["aaaa", "bbbb"])
        #expect(buffer.take(10, bytesMax: 1) == ["dd"])
        // What was taken makes room.
        buffer.add("ffffffffff", bytes: 10)
        #expect(buffer.take(0).isEmpty && buffer.take(10) == ["ffffffffff"])
    }

    @Test("a trace that is caused by another is linked to it, and recorded if that was")
    func causes() throws {
        let tracer = try tracer("parentbased_always_off")
        let cause = try #require(TraceParent(Self.sampled))
        let span = try #require(tracer.begin("later", kind: .producer, causedBy: cause))
        span.end()
        let finished = try #require(tracer.buffer?.take(1).first)
        #expect(finished.parentSpanID == 0 && finished.identity.traceID != Self.trace)
        #expect(finished.details.links == [cause])
        #expect(tracer.begin("later", kind: .producer, causedBy: cause.sampled(false)) == nil)
        #expect(tracer.begin("later", kind: .producer, causedBy: nil) == nil)
        #expect(tracer.begin("on", kind: .consumer, within: cause.sampled(false)) == nil)
        #expect(SpanTracer(buffer: nil).begin("on", kind: .consumer, within: cause) == nil)
    }
}
