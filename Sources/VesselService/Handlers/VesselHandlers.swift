import Contracts
import Idempotency
import RPC
import Runtime

/// The rules of `vessel.VesselService`.
struct VesselHandlers: Sendable {
    /// Bytes of a page. Pages of long texts end early: the answer is one message, and messages are limited to 4 MiB.
    private static let pageBytesMax = 2 * 1024 * 1024
    /// Bytes of a text in an answer, which has two of them beside the id: another program's may be longer than a message.
    private static let textBytesMax = pageBytesMax / 4

    let repository: any VesselRepository
    /// Checks the tokens of calls that have one, or need one.
    let authenticator: Authenticator
    /// Whether Create needs a token.
    var requiresToken = false

    /// A vessel made with a token belongs to its user; without one it has no owner.
    func create(_ vessel: Vessel_Vessel, _ context: RequestContext) async throws -> Vessel_Response {
        let owner = try await owner(of: vessel, context)
        try VesselRules.check(vessel)
        var response = Vessel_Response()
        response.created = true
        let claim = try IdempotencyClaim(vessel, caller: owner?.keyScope, context)
        if let claim, let first = try await repository.versionOneVessel(vessel, claim, context) {
            response.vessel = first
            return response
        }
        var vessel = vessel
        vessel.ownerID = owner?.userID ?? ""
        // Output only.
        vessel.bookedContainers = 0
        vessel.bookedWeight = 0
        response.vessel = try await repository.create(vessel, claim: claim, deadline: context.deadline)
        return response
    }

    func findAvailable(
        _ specification: Vessel_Specification, _ context: RequestContext
    ) async throws -> Vessel_Response {
        let room = try VesselRules.room(specification)
        let vessel = try await repository.tightestFit(room, deadline: context.deadline)
        guard let vessel else { throw VesselError.noneFits(room) }
        return Self.response(vessel)
    }

    func get(_ request: Vessel_GetRequest, _ context: RequestContext) async throws -> Vessel_Response {
        guard !request.id.isEmpty else { throw VesselError.invalid("id", "id must not be empty") }
        guard request.id.utf8.count <= ListedID.bytesMax,
            let vessel = try await repository.vessel(id: request.id, deadline: context.deadline)
        else { throw VesselError.unknownVessel }
        return Self.response(vessel)
    }

    func list(_ request: Vessel_ListRequest, _ context: RequestContext) async throws -> Vessel_Response {
        let limit = try VesselRules.pageSize(request.pageSize)
        let after = try request.pageToken.isEmpty ? nil : PageToken.id(in: request.pageToken)
        // One more than asked for tells whether there is another page.
        let vessels = try await repository.page(after: after, limit: limit + 1, deadline: context.deadline)
        var response = Vessel_Response()
        var bytes = 0
        for stored in vessels.prefix(limit) {
            let vessel = Self.shown(stored)
            let encoded: [UInt8] = try vessel.serializedBytes()
            bytes += encoded.count + 8
            guard response.vessels.isEmpty || bytes <= Self.pageBytesMax else { break }
            response.vessels.append(vessel)
        }
        if vessels.count > response.vessels.count, let last = response.vessels.last {
            response.nextPageToken = PageToken.after(last.id)
        }
        return response
    }

    /// - Returns: `nil` for a call without a token, where none is needed.
    private func owner(of vessel: Vessel_Vessel, _ context: RequestContext) async throws -> Caller? {
        if requiresToken || context.metadata.bearerToken != nil { return try await authenticator.caller(of: context) }
        guard vessel.ownerID.isEmpty else {
            throw VesselError.invalid("owner_id", "owner_id is the user's of the token, and none came with this call")
        }
        return nil
    }

    /// Not a part of what waits and then calls it: its copies of the message would take room in a frame meanwhile.
    @inline(never)
    static func response(_ vessel: Vessel_Vessel) -> Vessel_Response {
        var response = Vessel_Response()
        response.vessel = shown(vessel)
        return response
    }

    /// A vessel with texts that an answer can hold.
    private static func shown(_ vessel: Vessel_Vessel) -> Vessel_Vessel {
        var vessel = vessel
        if vessel.id.utf8.count > ListedID.bytesMax { vessel.id = ListedID.bounded(vessel.id) }
        if vessel.name.utf8.count > textBytesMax { vessel.name = vessel.name.shortened(bytesMax: textBytesMax) }
        if vessel.ownerID.utf8.count > textBytesMax {
            vessel.ownerID = vessel.ownerID.shortened(bytesMax: textBytesMax)
        }
        return vessel
    }
}

extension VesselHandlers {
    /// What the service's server offers.
    ///
    /// Closures, not the methods themselves: a method that is passed on waits in two frames more, of the function that
    /// binds it to the handlers and of the one that takes its messages by address, as routes pass them.
    func routes() -> [RPCRoute] {
        [
            RPCRoute(VesselMethods.create) { try await create($0, $1) },
            RPCRoute(VesselMethods.findAvailable) { try await findAvailable($0, $1) },
            RPCRoute(VesselMethods.get) { try await get($0, $1) },
            RPCRoute(VesselMethods.list) { try await list($0, $1) },
            RPCRoute(VesselMethods.update, authenticator: authenticator) { try await update($0, $1, $2) },
            RPCRoute(VesselMethods.reserve) { try await reserve($0, $1) },
            RPCRoute(VesselMethods.release) { try await release($0, $1) },
        ]
    }

    /// The vessels that ``seed(deadline:)`` makes sure of.
    static let seedVessels = [
        seedVessel("vessel001", "Kane's Salty Secret", capacity: 500, maxWeight: 200_000),
        seedVessel("vessel002", "Kane's Second Wind", capacity: 5_000, maxWeight: 50_000_000),
        seedVessel("vessel003", "Kane's Long Haul", capacity: 20_000, maxWeight: 200_000_000),
    ]

    private static func seedVessel(_ id: String, _ name: String, capacity: Int32, maxWeight: Int32) -> Vessel_Vessel {
        .with {
            $0.id = id
            $0.name = name
            $0.capacity = capacity
            $0.maxWeight = maxWeight
            $0.available = true
        }
    }

    /// Makes sure of a small fleet; doing it again changes nothing.
    ///
    /// - Throws: `StorageError` when the store can't be reached.
    func seed(deadline: Deadline) async throws {
        for vessel in Self.seedVessels {
            do {
                _ = try await repository.create(vessel, claim: nil, deadline: deadline)
            } catch VesselError.idTaken {
                continue
            }
        }
    }
}
