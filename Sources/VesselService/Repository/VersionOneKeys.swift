import Contracts
import Idempotency
import MongoStorage
import RPC
import SQLiteStorage

// Version 1's keys: so that a Create that version 1 answered gets the same answer after the upgrade, and stores nothing. A day
// after it there are none; then this file, its calls, and the tests of it can be deleted.
//
// Version 1 kept a key for the token that came with it, and took no `available` and `available: false` for the same.

extension IdempotencyClaim {
    /// The claim that version 1 made of a call; `nil` when it carries no key.
    init?(versionOne vessel: Vessel_Vessel, _ context: RequestContext) throws {
        var vessel = vessel
        if !vessel.available { vessel.clearAvailable() }
        try self.init(vessel, context)
    }
}

extension VesselRepository {
    /// The vessel that version 1 stored for this call.
    ///
    /// - Parameter claim: what the call's key stands for.
    /// - Throws: ABORTED for a key that version 1 got with another request, `StorageError`.
    func versionOneVessel(
        _ vessel: Vessel_Vessel, _ claim: IdempotencyClaim, _ context: RequestContext
    ) async throws -> Vessel_Vessel? {
        // Without a token both versions store a key under the same id.
        guard let old = try IdempotencyClaim(versionOne: vessel, context), old.id != claim.id else { return nil }
        return try await versionOneVessel(of: old, deadline: context.deadline)
    }
}

extension SQLiteVesselRepository {
    func versionOneVessel(of claim: IdempotencyClaim, deadline: Deadline) async throws -> Vessel_Vessel? {
        try await store.read(deadline: deadline) { connection -> Vessel_Vessel? in
            guard let first = try Self.keys.answer(to: claim, connection) else { return nil }
            return try Vessel_Vessel(knownFieldsOf: first)
        }
    }
}

extension MongoVesselRepository {
    func versionOneVessel(of claim: IdempotencyClaim, deadline: Deadline) async throws -> Vessel_Vessel? {
        try await store.run(deadline: deadline) { connection -> Vessel_Vessel? in
            let found = try connection.collection(Self.keys).first(["_id": .binary(claim.id)], deadline: deadline) {
                (fingerprint: $0.binary("fingerprint"), vessel: $0.binary("vessel"), attempt: $0.string("attempt"))
            }
            guard let found else { return nil }
            try claim.checkRepeat(of: found.fingerprint)
            let vessel = try Vessel_Vessel(knownFieldsOf: found.vessel)
            // Where it is not there, the call that stored the key got no answer.
            let isStored = try connection.collection(Self.vessels).first(
                ["_id": .string(vessel.id), "attempt": .string(found.attempt)], deadline: deadline
            ) { _ in true }
            return isStored == nil ? nil : vessel
        }
    }
}
