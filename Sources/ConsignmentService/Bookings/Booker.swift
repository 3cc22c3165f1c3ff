import Contracts
import Logging
import RPC

/// Takes a booking to its next state: for its call, and in the worker for a call that ended half-way.
struct Booker: Sendable {
    /// How long the vessel service may take, where the call itself allows more.
    static let vesselTimeout: Duration = .seconds(5)

    /// Until when the search for a vessel may take before the booking: not all the time that the call has, so that a repeat is
    /// answered from its key while the vessel service hangs.
    static func searchDeadline(_ deadline: Deadline) -> Deadline { fifths(3, of: deadline) }

    /// Until when Cancel waits for Release: nearly all of its time, so that its caller is still answered while the vessel
    /// service hangs.
    static func releaseDeadline(_ deadline: Deadline) -> Deadline { fifths(4, of: deadline) }

    private static func fifths(_ count: Int, of deadline: Deadline) -> Deadline {
        let longest = Deadline.after(vesselTimeout)
        return deadline.isNever ? longest : min(longest, .after(deadline.remaining * count / 5))
    }

    let repository: any ConsignmentRepository
    let vessels: RPCClient
    let counts: BookingCounts

    /// Reserves room for an intent and confirms it.
    ///
    /// Call it within ``BookingTimes/intentTimeout`` of storing the intent, or with a claim on it. Later a worker may undo the
    /// booking first, as may another call with the same key.
    ///
    /// - Returns: the booking as it is then: booked, or cancelled by its user meanwhile.
    /// - Throws: the vessel service's NOT_FOUND when no vessel fits, after the intent was removed;
    ///   ``ConsignmentError/bookingUndone`` when somebody else undid it; other errors when the outcome is unknown.
    func book(_ booking: Booking, _ context: CallOrigin) async throws -> Booking {
        let vesselID: String
        do {
            vesselID = try await vessels.call(
                VesselMethods.reserve, booking.reservation, metadata: context.metadata,
                deadline: min(context.deadline, .after(Self.vesselTimeout))
            ).vessel.id
        } catch {
            let status = Status(error)
            switch status.code {
            case .notFound:
                if let stored = try await undo(booking, context, as: .fleetFull) { return stored }
                throw status
            case .failedPrecondition:
                // Its room was released: it is being cancelled or undone.
                if let stored = try await undo(booking, context) { return stored }
                throw ConsignmentError.bookingUndone
            default: throw ConsignmentError.mapUpstreamError(status)
            }
        }
        let confirmed = try await repository.confirm(booking.id, vesselID: vesselID, deadline: context.deadline)
        guard let confirmed else {
            // Another call or a worker undoes it, and gives its room back; or the store lost it in a failover, and then no
            // worker finds the room. It is released in a task with a deadline of its own, as the call may be cancelled or
            // past its deadline. Release is idempotent.
            var origin = context
            origin.deadline = .after(Self.vesselTimeout)
            await Task { [origin] in try? await release(booking, origin) }.value
            throw ConsignmentError.bookingUndone
        }
        if confirmed.isOurs { counts.record(.booked) }
        return confirmed.booking
    }

    /// Undoes an intent: marks it, gives its room back, and removes it. In this order, so that a worker can go on after a
    /// crash at any point, and so that no caller is told before it is certain.
    ///
    /// - Parameter outcome: what it counts as once it is removed.
    /// - Returns: the booking if it was booked or cancelled first; `nil` when it is removed.
    @discardableResult
    func undo(
        _ booking: Booking, _ context: CallOrigin, as outcome: BookingCounts.Outcome = .undone
    ) async throws -> Booking? {
        guard try await repository.beginUndo(booking.id, deadline: context.deadline) else {
            return try await repository.booking(id: booking.id, deadline: context.deadline)
        }
        try await release(booking, context)
        if try await repository.remove(booking, deadline: context.deadline) { counts.record(outcome) }
        return nil
    }

    /// Releases the room of a cancelled booking.
    func finishCancel(_ booking: Booking, _ context: CallOrigin) async throws {
        try await release(booking, context)
        try await repository.markReleased(booking.id, deadline: context.deadline)
    }

    /// Leaves a booking to a worker, which takes it up at once.
    ///
    /// - Parameter wakeWorker: called when the booking is due.
    func leaveToWorker(_ booking: Booking, _ wakeWorker: @escaping @Sendable () -> Void) {
        // Its own task: the caller's may be cancelled.
        Task {
            try? await repository.makeDue(booking.id, deadline: .after(.seconds(5)))
            wakeWorker()
        }
    }

    private func release(_ booking: Booking, _ context: CallOrigin) async throws {
        do {
            _ = try await vessels.call(
                VesselMethods.release, booking.reservation, metadata: context.metadata,
                deadline: min(context.deadline, .after(Self.vesselTimeout)))
        } catch {
            throw ConsignmentError.mapUpstreamError(Status(error))
        }
    }
}

/// Deadline and metadata of the calls that are made for one call.
struct CallOrigin: Sendable {
    var deadline: Deadline
    var metadata: Metadata

    /// For a call that was received.
    init(_ context: RequestContext) {
        deadline = context.deadline
        metadata = context.metadata.propagated
    }

    /// For work that no caller waits for.
    init(deadline: Deadline) {
        self.deadline = deadline
        metadata = Metadata()
    }
}
