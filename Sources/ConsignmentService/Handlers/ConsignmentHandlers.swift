import Contracts
import Idempotency
import RPC
import Runtime

/// The rules of `consignment.ConsignmentService`.
struct ConsignmentHandlers: Sendable {
    /// How many intents one Create may go on with. Calls with one key at the same time share an intent: the one that finds
    /// no room undoes it for all, and each of the others begins anew.
    static let intentsMax = 4

    let booker: Booker
    var wakeWorker: @Sendable () -> Void = {}

    private var repository: any ConsignmentRepository { booker.repository }

    /// Books a consignment for a caller.
    ///
    /// A repeat answers what the first call answered, whatever vessel there is by now; one that ended half-way is gone on
    /// with. Where another call undoes the intent meanwhile, a new one is begun.
    ///
    /// - Parameter vessel: the vessel that fits, or why none was found; then nothing is stored.
    func create(
        _ consignment: Consignment_Consignment, _ vessel: Result<String, any Error>, _ caller: Caller,
        _ context: RequestContext
    ) async throws -> Consignment_Response {
        try ConsignmentRules.check(consignment)
        let claim = try IdempotencyClaim(consignment, caller: caller.keyScope, context)
        for _ in 1..<Self.intentsMax {
            do {
                return try await book(consignment, vessel, caller, claim, context)
            } catch ConsignmentError.bookingUndone {}
        }
        return try await book(consignment, vessel, caller, claim, context)
    }

    /// Goes on with the booking of a key, or begins one.
    private func book(
        _ consignment: Consignment_Consignment, _ vessel: Result<String, any Error>, _ caller: Caller,
        _ claim: IdempotencyClaim?, _ context: RequestContext
    ) async throws -> Consignment_Response {
        if let claim, let first = try await repository.booking(of: claim, deadline: context.deadline) {
            return Self.created(first.state == .pending ? try await book(first, context) : first)
        }
        do { _ = try vessel.get() } catch {
            if Status(error).code == .notFound { booker.counts.record(.fleetFull) }
            throw error
        }
        let begun = try await repository.begin(
            Self.asked(consignment), userID: caller.userID, claim: claim, deadline: context.deadline)
        return Self.created(begun.state == .pending ? try await book(begun, context) : begun)
    }

    /// Finds a vessel that carries a consignment. Runs while the token is checked.
    func findVessel(_ consignment: Consignment_Consignment, _ context: RequestContext) async throws -> String {
        try ConsignmentRules.check(consignment)
        var wanted = Vessel_Specification()
        wanted.capacity = Int32(clamping: consignment.containers.count)
        wanted.maxWeight = consignment.weight
        do {
            return try await booker.vessels.call(
                VesselMethods.findAvailable, wanted, metadata: context.metadata.propagated,
                deadline: Booker.searchDeadline(context.deadline)
            ).vessel.id
        } catch {
            throw ConsignmentError.mapUpstreamError(Status(error))
        }
    }

    func get(
        _ request: Consignment_GetRequest, _ caller: Caller, _ context: RequestContext
    ) async throws -> Consignment_Response {
        var response = Consignment_Response()
        guard request.id.isEmpty else {
            response.consignment = try await booking(request.id, caller, context).shown
            return response
        }
        let limit = try ConsignmentRules.pageSize(request.pageSize)
        let start = try request.pageToken.isEmpty ? nil : PageToken.id(in: request.pageToken)
        let page = try await repository.page(
            of: caller.isOperator ? nil : caller.userID, after: start, limit: limit,
            bytesMax: ConsignmentRules.pageBytesMax, deadline: context.deadline)
        response.consignments = page.consignments
        if page.hasMore, let last = page.consignments.last { response.nextPageToken = PageToken.after(last.id) }
        return response
    }

    /// Cancels a booking; a repeat answers the same. The room is released before the answer or, where the vessel service
    /// can't be reached or is slow, by a worker.
    func cancel(
        _ request: Consignment_CancelRequest, _ caller: Caller, _ context: RequestContext
    ) async throws -> Consignment_Response {
        guard !request.id.isEmpty else { throw ConsignmentError.invalid("id", "id must not be empty") }
        var booking = try await booking(request.id, caller, context)
        if booking.state != .cancelled {
            guard let cancelled = try await repository.cancel(booking.id, deadline: context.deadline) else {
                throw ConsignmentError.unknownConsignment
            }
            booking = cancelled.booking
            if cancelled.isOurs { booker.counts.record(.cancelled) }
        }
        // Also for a repeat, whose first call may still wait for Release or have given it up.
        if booking.owesRelease {
            var origin = CallOrigin(context)
            origin.deadline = Booker.releaseDeadline(context.deadline)
            do {
                try await booker.finishCancel(booking, origin)
            } catch {
                booker.leaveToWorker(booking, wakeWorker)
            }
        }
        var response = Consignment_Response()
        response.consignment = booking.shown
        return response
    }

    /// One that the caller may see.
    private func booking(_ id: String, _ caller: Caller, _ context: RequestContext) async throws -> Booking {
        guard id.utf8.count <= ListedID.bytesMax,
            let booking = try await repository.booking(id: id, deadline: context.deadline),
            caller.may(.useConsignment(of: booking.userID))
        else { throw ConsignmentError.unknownConsignment }
        return booking
    }

    private func book(_ booking: Booking, _ context: RequestContext) async throws -> Booking {
        do {
            return try await booker.book(booking, CallOrigin(context))
        } catch {
            let isSettled = Status(error).code == .notFound || error as? ConsignmentError == .bookingUndone
            if !isSettled {
                booker.counts.record(.unsettled)
                booker.leaveToWorker(booking, wakeWorker)
            }
            throw error
        }
    }

    private static func created(_ booking: Booking) -> Consignment_Response {
        var response = Consignment_Response()
        response.created = true
        response.consignment = booking.shown
        return response
    }

    /// Without what the service itself says.
    private static func asked(_ consignment: Consignment_Consignment) -> Consignment_Consignment {
        var asked = Consignment_Consignment()
        asked.description_p = consignment.description_p
        asked.weight = consignment.weight
        asked.containers = consignment.containers
        return asked
    }
}

extension ConsignmentHandlers {
    /// What the service's server offers.
    func routes(authenticator: Authenticator) -> [RPCRoute] {
        [
            RPCRoute(
                ConsignmentMethods.create, authenticator: authenticator, concurrently: findVessel, handler: create),
            RPCRoute(ConsignmentMethods.get, authenticator: authenticator, handler: get),
            RPCRoute(ConsignmentMethods.cancel, authenticator: authenticator, handler: cancel),
        ]
    }
}
