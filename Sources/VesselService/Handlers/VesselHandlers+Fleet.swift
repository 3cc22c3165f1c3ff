import Contracts
import RPC
import Runtime

/// Changing a vessel, and booking room on one.
extension VesselHandlers {
    /// The fields that can be changed.
    private enum Change: String {
        case name
        case available
        case capacity
        case maxWeight = "max_weight"
    }

    func update(
        _ request: Vessel_UpdateRequest, _ caller: Caller, _ context: RequestContext
    ) async throws -> Vessel_Response {
        let changes = try Self.changes(request)
        let wanted = request.vessel
        let vessel = try await repository.update(id: wanted.id, deadline: context.deadline) { vessel in
            guard caller.may(.changeVessel(owner: vessel.ownerID)) else { throw VesselError.notTheOwner }
            for change in changes {
                switch change {
                case .name: vessel.name = wanted.name
                case .available:
                    if wanted.hasAvailable { vessel.available = wanted.available } else { vessel.clearAvailable() }
                case .capacity: vessel.capacity = wanted.capacity
                case .maxWeight: vessel.maxWeight = wanted.maxWeight
                }
            }
            // What is not changed may stay, also where another program booked more than the vessel carries.
            guard !changes.contains(.capacity) || vessel.capacity >= vessel.bookedContainers else {
                throw VesselError.belowBooked("capacity must be at least \(vessel.bookedContainers), which are booked")
            }
            guard !changes.contains(.maxWeight) || vessel.maxWeight >= vessel.bookedWeight else {
                throw VesselError.belowBooked("max_weight must be at least \(vessel.bookedWeight), which are booked")
            }
        }
        guard let vessel else { throw VesselError.unknownVessel }
        return Self.response(vessel)
    }

    func reserve(_ request: Vessel_Reservation, _ context: RequestContext) async throws -> Vessel_Response {
        let room = try VesselRules.room(request)
        let vessel = try await repository.reserve(room, for: request.consignmentID, deadline: context.deadline)
        guard let vessel else { throw VesselError.noneFits(room) }
        return Self.response(vessel)
    }

    func release(_ request: Vessel_Reservation, _ context: RequestContext) async throws -> Vessel_Response {
        try VesselRules.checkReleasedID(request.consignmentID)
        try await repository.release(request.consignmentID, deadline: context.deadline)
        return Vessel_Response()
    }

    /// What the mask names, after a look at whether the values may be.
    private static func changes(_ request: Vessel_UpdateRequest) throws(VesselError) -> [Change] {
        let vessel = request.vessel
        guard !vessel.id.isEmpty else { throw .invalid("vessel.id", "vessel.id must not be empty") }
        guard vessel.id.utf8.count <= ListedID.bytesMax else { throw .unknownVessel }
        guard !request.updateMask.paths.isEmpty else {
            throw .invalid("update_mask", "update_mask must name what to change: name, available, capacity, max_weight")
        }
        var changes: [Change] = []
        for path in request.updateMask.paths {
            guard let change = change(path) else {
                throw .invalid(
                    "update_mask",
                    "update_mask names \"\(path.shortened())\"; it may name name, available, capacity, max_weight")
            }
            changes.append(change)
        }
        if changes.contains(.name) { try VesselRules.checkName(vessel.name, field: "vessel.name") }
        if changes.contains(.capacity) {
            guard vessel.capacity > 0 else { throw .invalid("vessel.capacity", "vessel.capacity must be above 0") }
        }
        if changes.contains(.maxWeight) {
            guard vessel.maxWeight > 0 else { throw .invalid("vessel.max_weight", "vessel.max_weight must be above 0") }
        }
        return changes
    }

    private static func change(_ path: String) -> Change? {
        for change in [Change.name, .available, .capacity, .maxWeight] where path.hasSameBytes(as: change.rawValue) {
            return change
        }
        return nil
    }
}
