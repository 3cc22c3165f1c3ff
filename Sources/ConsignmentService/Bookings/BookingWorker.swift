import LeasedQueue
import Logging
import RPC
import Traces

/// Completes or undoes bookings whose calls ended half-way: their process crashed, or their deadline passed.
struct BookingWorker: QueueHandler {
    /// For one booking: less than its lease.
    private static let timeout: Duration = .seconds(10)

    private static let policy: QueuePolicy = {
        var policy = QueuePolicy()
        policy.lease = .seconds(20)
        // So short that no booking is pending a minute after all services are up.
        policy.backoff = Backoff(first: .milliseconds(500), factor: 2, longest: .seconds(10))
        return policy
    }()

    let booker: Booker
    /// `nil` leaves tries out of traces.
    let tracer: SpanTracer?
    let logger: Logger

    static func make(_ booker: Booker, tracer: SpanTracer? = nil, logger: Logger) -> QueueWorker<Booking> {
        QueueWorker(
            booker.repository, BookingWorker(booker: booker, tracer: tracer, logger: logger),
            names: ("a booking", "bookings"), policy: policy, logger: logger)
    }

    func handle(_ item: LeasedItem<Booking>) async -> QueueOutcome {
        do {
            try await resume(item.item, CallOrigin(deadline: .after(Self.timeout)))
            return .stored
        } catch {
            let reason = "\(Status(error))"
            logger.debug("a booking is tried again later", metadata: ["id": "\(item.item.id)", "why": "\(reason)"])
            return .retry(after: nil, reason: reason)
        }
    }

    /// In a trace of its own, as the call that left the booking is over.
    func observe(_ item: LeasedItem<Booking>, _ attempt: @Sendable () async -> QueueOutcome) async {
        let span = tracer?.begin("finish booking", kind: .internal, causedBy: nil)
        span?.set("shippy.consignment.id", .string(item.item.id))
        span?.set("shippy.booking.attempt", .int64(Int64(item.attempts)))
        await TraceSpan.within(span) {
            if case .retry = await attempt() { span?.fail("retry") }
        }
        span?.end()
    }

    /// Does what is left to do for a booking, by its state.
    private func resume(_ booking: Booking, _ context: CallOrigin) async throws {
        switch booking.state {
        case .pending where booking.key.isEmpty: try await booker.undo(booking, context)
        case .pending:
            do {
                _ = try await booker.book(booking, context)
            } catch let status as Status where status.code == .notFound {
                // None fits any more, and the booking was removed.
            }
        case .undoing: try await booker.undo(booking, context)
        case .cancelled: try await booker.finishCancel(booking, context)
        case .booked, .uncounted: try await booker.repository.markReleased(booking.id, deadline: context.deadline)
        }
    }
}
