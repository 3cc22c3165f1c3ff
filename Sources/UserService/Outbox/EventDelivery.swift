import Contracts
import RPC
import SwiftProtobuf
import Traces

/// Hands events to EmailService.Process, which knows them by their ids.
struct EventDelivery: Sendable {
    /// Answers when the mail service has stored the event.
    let process: @Sendable (Email_UserCreated, Metadata, Deadline) async throws -> Void
    /// `nil` leaves deliveries out of traces.
    let tracer: SpanTracer?

    init(
        tracer: SpanTracer? = nil,
        _ process: @escaping @Sendable (Email_UserCreated, Metadata, Deadline) async throws -> Void
    ) {
        self.tracer = tracer
        self.process = process
    }

    init(to email: RPCClient, tracer: SpanTracer? = nil) {
        self.init(tracer: tracer) { event, metadata, deadline in
            _ = try await email.call(EmailMethods.process, event, metadata: metadata, deadline: deadline)
        }
    }

    /// A delivery is a trace of its own, linked to that of whoever signed up: it may be hours later, and be tried again.
    ///
    /// - Throws: `Status` only.
    func deliver(_ event: UserCreatedEvent, deadline: Deadline) async throws(Status) {
        let span = tracer?.begin("deliver user.created", kind: .producer, causedBy: event.trace)
        span?.set("messaging.operation.type", "send")
        span?.set("messaging.message.id", .string(event.id))
        // Where nothing is recorded, logs still show what it came of; what was decided about that is not for here to
        // change.
        var metadata = Metadata()
        if span == nil, let trace = event.trace { metadata.add("traceparent", trace.text) }
        do {
            let metadata = metadata
            try await TraceSpan.within(span) { try await process(Self.message(event), metadata, deadline) }
            span?.end()
        } catch {
            let status = Status(error)
            span?.end(failedWith: status.code.name)
            throw status
        }
    }

    private static func message(_ event: UserCreatedEvent) -> Email_UserCreated {
        var message = Email_UserCreated()
        message.eventID = event.id
        message.userID = event.userID
        message.name = event.name
        message.email = event.email
        message.company = event.company
        // A Timestamp's nanoseconds count up, also before 1970.
        let (seconds, microseconds) = event.occurredAtMicroseconds.quotientAndRemainder(
            dividingBy: UserClock.microsecondsPerSecond)
        let isBefore = microseconds < 0
        message.occurredAt.seconds = isBefore ? seconds - 1 : seconds
        message.occurredAt.nanos = Int32(
            (isBefore ? microseconds + UserClock.microsecondsPerSecond : microseconds) * 1_000)
        return message
    }
}
