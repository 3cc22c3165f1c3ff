import Testing
import Traces
import Tracing

@testable import Storage

@Suite("Errors of calls in traces")
struct SpanErrorTests {
    @Test("an error's text is kept out of its span, its kind or its type is not")
    func errors() throws {
        struct Secretive: Error { var password = "hunter2" }
        let buffer = SpanBuffer(capacity: 10, batchSize: 10) {}
        let tracer = SpanTracer(buffer: buffer)
        let errors: [any Error] = [Secretive(), StorageError(.timeout, "hunter2")]
        for error in errors { tracer.begin(tracer.decide(nil, nil), "fails", kind: .internal).end(error) }
        let spans = buffer.take(10)
        try #require(spans.count == 2)
        for span in spans {
            #expect(span.details.status?.code == .error)
            #expect(!"\(span.details)".contains("hunter2"))
        }
        #expect(spans[0].details.attributes.get("error.type") == .string(String(reflecting: Secretive.self)))
        #expect(spans[1].details.attributes.get("error.type") == .string("timeout"))
    }
}
