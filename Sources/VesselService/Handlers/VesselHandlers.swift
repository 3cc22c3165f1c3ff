import Contracts
import Idempotency
import RPC

/// The rules of `vessel.VesselService`.
struct VesselHandlers: Sendable {
    static let nameLengthMax = 200
    /// Ids are keys of an index, so they are bounded too.
    static let idLengthMax = 200

    let repository: any VesselRepository

    func create(_ vessel: Vessel_Vessel, _ context: RequestContext) async throws -> Vessel_Response {
        try Self.check(vessel)
        let claim = try IdempotencyClaim(vessel, context)
        var response = Vessel_Response()
        response.vessel = try await repository.create(vessel, claim: claim, deadline: context.deadline)
        response.created = true
        return response
    }

    /// Any vessel that is large enough will do: `available` says nothing about capacity and is not asked for.
    func findAvailable(
        _ specification: Vessel_Specification, _ context: RequestContext
    ) async throws -> Vessel_Response {
        guard specification.capacity >= 0 else { throw VesselError.invalid("capacity must not be negative") }
        guard specification.maxWeight >= 0 else { throw VesselError.invalid("max_weight must not be negative") }
        let vessel = try await repository.tightestFit(
            capacity: specification.capacity, weight: specification.maxWeight, deadline: context.deadline)
        guard let vessel else {
            throw VesselError.noneFits(containers: specification.capacity, kilograms: specification.maxWeight)
        }
        var response = Vessel_Response()
        response.vessel = vessel
        return response
    }

    private static func check(_ vessel: Vessel_Vessel) throws(VesselError) {
        guard !vessel.name.isEmpty else { throw .invalid("name must not be empty") }
        guard vessel.name.hasAtMost(nameLengthMax) else {
            throw .invalid("name must have at most \(nameLengthMax) characters")
        }
        guard vessel.capacity > 0 else { throw .invalid("capacity must be above 0") }
        guard vessel.maxWeight > 0 else { throw .invalid("max_weight must be above 0") }
        guard vessel.id.hasAtMost(idLengthMax) else {
            throw .invalid("id must have at most \(idLengthMax) characters")
        }
        guard vessel.ownerID.hasAtMost(idLengthMax) else {
            throw .invalid("owner_id must have at most \(idLengthMax) characters")
        }
    }
}

extension VesselHandlers {
    /// What the service's server offers.
    func routes() -> [RPCRoute] {
        [
            RPCRoute(VesselMethods.create, handler: create),
            RPCRoute(VesselMethods.findAvailable, handler: findAvailable),
        ]
    }

    /// The vessel that ``seed(deadline:)`` makes sure of.
    static let seedVessel = Vessel_Vessel.with {
        $0.id = "vessel001"
        $0.name = "Kane's Salty Secret"
        $0.capacity = 500
        $0.maxWeight = 200_000
        $0.available = true
    }

    /// Makes sure of one vessel; doing it again changes nothing.
    ///
    /// - Throws: `StorageError` when the store can't be reached.
    func seed(deadline: Deadline) async throws {
        do {
            _ = try await repository.create(Self.seedVessel, claim: nil, deadline: deadline)
        } catch VesselError.idTaken {
            return
        }
    }
}
