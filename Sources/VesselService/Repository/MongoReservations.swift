import Contracts
import Idempotency
import MongoStorage
import RPC
import Storage

/// Booked room in MongoDB, without transactions: a write to one document at a time, each of which may be the last one of a
/// process that dies.
///
/// To reserve is three steps: the room is booked in the vessel's document together with a *step* that says for which
/// consignment; the ``Reservation`` is inserted, under the consignment's id, and names the step; the step is removed. The
/// reservation decides. Of two calls for one consignment one inserts it, and the other finds in it a step that is not its
/// own and takes its booking back. To release is a step in the vessel's document, then the reservation is marked and names
/// that step, then the room is given back together with the step. So booked room is never less than what is reserved, and
/// any process that finds a step can read in the reservation how it has to be finished: what happens to a step is a
/// write that names the version of the document, and happens once.
///
/// Within a process, all operations on one vessel that wait at the same time go into the same three writes
/// (``VesselBatch``). The models in Tests/Models check this for crashes and repeats at each step.
struct MongoReservations: Sendable {
    /// Steps that are older are finished by anybody, in seconds: their calls are over.
    static let stepSecondsMax: Int64 = 10
    private static let finishedAtOnceMax: Int32 = 100

    let store: MongoStore
    private let batches: KeyedBatches<VesselBatch.Operation, VesselBatch.Outcome>

    init(store: MongoStore) {
        self.store = store
        batches = KeyedBatches(countMax: VesselBatch.countMax) { vesselID, operations in
            // The others' time must not end with that of the first.
            let deadline = operations.map(\.deadline).max() ?? .never
            do {
                return try await store.run(deadline: deadline) { connection in
                    try VesselBatch(vesselID: vesselID, connection: connection, deadline: deadline).apply(operations)
                }
            } catch {
                return operations.map { _ in .failure(error) }
            }
        }
    }

    func reserve(_ room: Room, for consignmentID: String, deadline: Deadline) async throws -> Vessel_Vessel? {
        while true {
            let found = try await store.run(deadline: deadline) { connection -> Found in
                if let known = try Reservation.of(consignmentID, connection, deadline) { return .reserved(known) }
                return .fit(try MongoVesselRepository.tightestFit(room, connection, deadline)?.vessel.id)
            }
            switch found {
            case .reserved(let reservation):
                return try await reserved(reservation, consignmentID, deadline)
            case .fit(nil):
                guard try await finishOwnSteps(of: consignmentID, deadline) else { return nil }
            case .fit(let vesselID?):
                switch try await outcome(of: .reserve(room, consignmentID: consignmentID), on: vesselID, deadline) {
                case .reserved(let vessel): return vessel
                case .conflict, .noRoom, .done: continue
                }
            }
        }
    }

    func release(_ consignmentID: String, deadline: Deadline) async throws {
        while true {
            let known = try await store.run(deadline: deadline) { connection -> Reservation? in
                if let known = try Reservation.of(consignmentID, connection, deadline) { return known }
                do throws(StorageError) {
                    try connection.collection(Reservation.collection).insert(
                        Reservation.tombstone.document(of: consignmentID), deadline: deadline)
                    return .tombstone
                } catch {
                    guard error.kind == .duplicateKey else { throw error }
                    return nil
                }
            }
            // It was reserved in this moment.
            guard let known else { continue }
            // Released before it was reserved: there is no room to give back.
            guard !known.vesselID.isEmpty else { return }
            // Also when it is marked already: its room may not be given back yet.
            let operation: VesselBatch.Operation.Kind =
                known.isReleased ? .finishSteps : .release(known.room, consignmentID: consignmentID)
            _ = try await outcome(of: operation, on: known.vesselID, deadline)
            return
        }
    }

    /// Changes a vessel, whatever others do to it meanwhile.
    ///
    /// - Returns: the vessel as it is then; `nil` when there is none.
    func update(
        _ vesselID: String, deadline: Deadline, _ change: @escaping @Sendable (inout Vessel_Vessel) throws -> Void
    ) async throws -> Vessel_Vessel? {
        let outcome = try await outcome(of: .update(change), on: vesselID, deadline)
        guard case .done(let vessel) = outcome else { return nil }
        return vessel
    }

    /// Finishes what calls left behind that ended half-way.
    func finishOldSteps(olderThan seconds: Int64 = stepSecondsMax, deadline: Deadline) async throws {
        let ids = try await store.run(deadline: deadline) { connection in
            let oldest = (WallClock.seconds - seconds) * 1_000
            var ids: [String] = []
            try connection.collection(MongoVesselRepository.vessels).find(
                ["steps_since": ["$lt": .date(milliseconds: oldest)]], limit: Self.finishedAtOnceMax,
                deadline: deadline
            ) {
                ids.append($0.string("_id"))
                return true
            }
            return ids
        }
        for id in ids { _ = try await outcome(of: .finishSteps, on: id, deadline) }
    }

    /// Looks whether this consignment itself has the room that is missing: another call for it may have booked it and not
    /// noted it yet, or have died.
    ///
    /// - Returns: whether there may be a reservation by now.
    private func finishOwnSteps(of consignmentID: String, _ deadline: Deadline) async throws -> Bool {
        let vesselID = try await store.run(deadline: deadline) { connection in
            try connection.collection(MongoVesselRepository.vessels).first(
                ["steps.consignment_id": .string(consignmentID)], deadline: deadline
            ) { $0.string("_id") }
        }
        if let vesselID {
            _ = try await outcome(of: .finishSteps, on: vesselID, deadline)
            return true
        }
        // Only after that: a step that is gone has left a reservation.
        return try await store.run(deadline: deadline) { try Reservation.of(consignmentID, $0, deadline) != nil }
    }

    private func reserved(
        _ reservation: Reservation, _ consignmentID: String, _ deadline: Deadline
    ) async throws -> Vessel_Vessel? {
        guard !reservation.isReleased else { throw VesselError.released(consignmentID) }
        return try await store.run(deadline: deadline) {
            try $0.collection(MongoVesselRepository.vessels).first(
                ["_id": .string(reservation.vesselID)], deadline: deadline, VesselDocument.init)?.vessel
        }
    }

    private func outcome(
        of kind: VesselBatch.Operation.Kind, on vesselID: String, _ deadline: Deadline
    ) async throws -> VesselBatch.Outcome {
        try await batches.result(of: VesselBatch.Operation(kind: kind, deadline: deadline), for: vesselID)
    }

    private enum Found: Sendable {
        case reserved(Reservation)
        case fit(String?)
    }
}
