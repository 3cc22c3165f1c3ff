import RPC
import TestSupport
import Testing
import Tracing
import Traces

@testable import ConsignmentService

/// What the worker leaves in traces.
@Suite(.timeLimit(.minutes(10))) struct WorkerTraceTests {
    @Test("each try to finish a booking is a trace of its own with its calls, and one that fails says so")
    func tries() async throws {
        let buffer = SpanBuffer(capacity: 1_000, batchSize: 1_000) {}
        let tracer = SpanTracer(buffer: buffer)
        try await ConsignmentFixture.run(hasWorker: true, tracer: tracer) { fixture in
            fixture.upstreams.behaviour.withLockedValue { $0.release = Status(.unavailable, "away") }
            let id = try await fixture.create().consignment.id
            let cancelled = try await fixture.cancel(id)
            #expect(cancelled.status == .cancelled)
            var spans: [FinishedSpan] = []
            func finished() -> [FinishedSpan] {
                spans += buffer.take(1_000)
                return spans.filter { $0.name == "finish booking" }
            }
            try await eventually("a try that fails") { !finished().isEmpty }
            fixture.upstreams.behaviour.withLockedValue { $0.release = nil }
            try await eventually("a try that succeeds") { finished().contains { $0.details.status == nil } }
            let all = finished()
            for (number, span) in all.enumerated() {
                #expect(span.kind == .internal && span.parentSpanID == 0)
                #expect(span.details.attributes.get("shippy.consignment.id") == .string(id))
                #expect(span.details.attributes.get("shippy.booking.attempt") == .int64(Int64(number)))
                let isLast = number == all.count - 1
                #expect((span.details.status?.code == .error) == !isLast)
                let why: SpanAttribute? = isLast ? nil : .string("retry")
                #expect(span.details.attributes.get("error.type") == why)
                let callees = spans.filter { $0.parentSpanID == span.identity.spanID }.map(\.name)
                #expect(callees.contains("vessel.VesselService/Release"), "\(callees)")
            }
            #expect(all.count >= 2)
            let traces = Set(all.map(\.identity.traceID))
            #expect(traces.count == all.count)
        }
    }
}
