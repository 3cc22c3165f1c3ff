import Contracts
import Idempotency
import RPC
import Runtime

/// The rules of `consignment.ConsignmentService`.
struct ConsignmentHandlers: Sendable {
    /// How long the vessel service may take, where the call itself allows more.
    private static let vesselTimeout: Duration = .seconds(5)

    let repository: any ConsignmentRepository
    let vessels: RPCClient

    /// Books a consignment for a caller onto the vessel that was found for it.
    ///
    /// A repeat answers what the first call answered, whatever vessel there is by now.
    func create(
        _ consignment: Consignment_Consignment, _ carrier: Result<String, any Error>, _ caller: Caller,
        _ context: RequestContext
    ) async throws -> Consignment_Response {
        try ConsignmentRules.check(consignment)
        let claim = try IdempotencyClaim(consignment, caller: caller.scope, context)
        var response = Consignment_Response()
        response.created = true
        if let claim, let first = try await repository.answer(to: claim, deadline: context.deadline) {
            response.consignment = first
            return response
        }
        var booked = consignment
        booked.vesselID = try carrier.get()
        response.consignment = try await repository.create(
            booked, userID: caller.userID, claim: claim, deadline: context.deadline)
        return response
    }

    /// The id of the vessel that carries a consignment. Asked beside the check of the token.
    func carrier(_ consignment: Consignment_Consignment, _ context: RequestContext) async throws -> String {
        try ConsignmentRules.check(consignment)
        var wanted = Vessel_Specification()
        wanted.capacity = Int32(clamping: consignment.containers.count)
        wanted.maxWeight = consignment.weight
        do {
            return try await vessels.call(
                VesselMethods.findAvailable, wanted, metadata: context.metadata.trace,
                deadline: min(context.deadline, .after(Self.vesselTimeout))
            ).vessel.id
        } catch {
            throw Self.explained(Status(error))
        }
    }

    func get(
        _ request: Consignment_GetRequest, _ caller: Caller, _ context: RequestContext
    ) async throws -> Consignment_Response {
        let limit = try ConsignmentRules.pageSize(request.pageSize)
        let start = try request.pageToken.isEmpty ? nil : PageToken.id(in: request.pageToken)
        let page = try await repository.page(
            after: start, limit: limit, bytesMax: ConsignmentRules.pageBytesMax, deadline: context.deadline)
        var response = Consignment_Response()
        response.consignments = page.consignments
        if page.hasMore, let last = page.consignments.last { response.nextPageToken = PageToken.after(last.id) }
        return response
    }

    /// What the caller is told when the vessel service refuses.
    private static func explained(_ status: Status) -> any Error {
        switch status.code {
        case .notFound, .cancelled, .deadlineExceeded: status
        case .resourceExhausted:
            Status(.resourceExhausted, "the vessel service is overloaded; try again later", metadata: status.retryAfter)
        case .unavailable: ConsignmentError.vesselServiceAway
        default: Status(.internal, "internal error")
        }
    }
}

extension ConsignmentHandlers {
    /// What the service's server offers.
    func routes(callers: Authenticator) -> [RPCRoute] {
        [
            RPCRoute(ConsignmentMethods.create, callers: callers, beside: carrier, handler: create),
            RPCRoute(ConsignmentMethods.get, callers: callers, handler: get),
        ]
    }
}

extension Caller {
    /// Whose idempotency keys are whose; without a user, whoever shows the same token.
    fileprivate var scope: String? { userID.isEmpty ? nil : "user \(userID)" }
}
