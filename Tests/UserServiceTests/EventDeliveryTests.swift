import RPC
import Testing
import Traces

@testable import UserService

@Suite("Deliveries in traces")
struct EventDeliveryTests {
    private static let sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    private static let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

    @Test("where nothing is recorded, the trace of the sign-up goes on unchanged", arguments: [sampled, unsampled])
    func unchanged(trace: String) async throws {
        let event = UserCreatedEvent(
            id: "e", userID: "u", name: "Ada", email: "ada@example.com", company: "", occurredAtMicroseconds: 0,
            trace: TraceParent(trace))
        let delivery = EventDelivery(tracer: SpanTracer(buffer: nil)) { _, metadata, _ in
            // What was passed on comes back as the error.
            throw Status(.aborted, metadata["traceparent"] ?? "none")
        }
        do {
            try await delivery.deliver(event, deadline: .after(.seconds(20)))
            Issue.record("the delivery came to an end")
        } catch {
            #expect(Status(error).message == trace)
        }
    }
}
