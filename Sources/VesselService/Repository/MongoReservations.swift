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
/// that step, then the room is released together with the step. So booked room is never less than what is reserved, and
/// any process that finds a step can read in the reservation how it has to be finished: what happens to a step is a
/// write that names the version of the document, and happens once.
///
/// Within a process, all operations on one vessel that wait at the same time go into the same three writes
/// (``VesselBatch``), and all that wait for the same room share one search for it. The models in Tests/Models check this
/// for crashes and repeats at each step.
struct MongoReservations: Sendable {
    /// Steps that are older are finished by anybody, in seconds: their calls are over.
    static let stepSecondsMax: Int64 = 10
    private static let finishedAtOnceMax: Int32 = 100

    let store: MongoStore
    private let batches: KeyedBatches<VesselBatch.Operation, VesselBatch.Outcome>
    /// By the room that is searched for.
    private let searches: KeyedBatches<Search, Found>

    init(store: MongoStore) {
        self.store = store
        searches = KeyedBatches(countMax: VesselBatch.countMax) { _, searches in
            let deadline = searches.map(\.deadline).max() ?? .never
            do {
                return try await store.run(deadline: deadline) { try Search.find(searches, $0, deadline) }
                    .map(Result.success)
            } catch {
                return searches.map { _ in .failure(error) }
            }
        }
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
        let search = Search(room: room, consignmentID: consignmentID, deadline: deadline)
        while true {
            // The caller is gone.
            try Task.checkCancellation()
            switch try await searches.result(of: search, for: "\(room.containers) \(room.weight)") {
            case .reserved(let reservation): return try await reserved(reservation, consignmentID, deadline)
            case .unfinished(let vesselID): _ = try await outcome(of: .finishSteps, on: vesselID, deadline)
            case .noFit: return nil
            case .fit(let vesselID):
                if case .reserved(let vessel) = try await outcome(
                    of: .reserve(room, consignmentID: consignmentID), on: vesselID, deadline)
                {
                    return vessel
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
            // Released before it was reserved: there is no room to release.
            guard !known.vesselID.isEmpty else { return }
            // Also when it is marked already: its room may not be released yet.
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
}

// MARK: - Searching

extension MongoReservations {
    /// One call's part in a search for room.
    fileprivate struct Search: Sendable {
        let room: Room
        let consignmentID: String
        let deadline: Deadline
    }

    fileprivate enum Found: Sendable {
        case reserved(Reservation)
        /// A vessel with a step of the consignment's that is to be finished first.
        case unfinished(vesselID: String)
        case fit(vesselID: String)
        case noFit
    }
}

extension MongoReservations.Search {
    /// What there is for each of these, which all want the same room.
    ///
    /// - Parameter deadline: the latest of theirs.
    static func find(
        _ searches: [Self], _ connection: MongoConnection, _ deadline: Deadline
    ) throws -> [MongoReservations.Found] {
        let ids = searches.map(\.consignmentID)
        var reservations = try Reservation.of(ids, connection, deadline)
        var fit: String?
        var unfinished: [ByteKey: String] = [:]
        if reservations.count < ids.count, let room = searches.first?.room {
            fit = try MongoVesselRepository.tightestFit(room, connection, deadline)?.vessel.id
            if fit == nil {
                // A consignment may have the room itself that is missing: another call for it may have booked it and not
                // noted it yet, or have died. The reservations come after that, as a step that is gone has left one.
                unfinished = try vesselsWithSteps(of: ids, connection, deadline)
                reservations = try Reservation.of(ids, connection, deadline)
            }
        }
        return ids.map { id in
            if let reservation = reservations[ByteKey(id)] { return .reserved(reservation) }
            if let fit { return .fit(vesselID: fit) }
            return unfinished[ByteKey(id)].map { .unfinished(vesselID: $0) } ?? .noFit
        }
    }

    /// The vessels that have steps of these consignments.
    private static func vesselsWithSteps(
        of consignmentIDs: [String], _ connection: MongoConnection, _ deadline: Deadline
    ) throws -> [ByteKey: String] {
        var found: [ByteKey: String] = [:]
        var wanted = consignmentIDs
        while !wanted.isEmpty {
            var seen = 0
            try connection.collection(MongoVesselRepository.vessels).find(
                ["steps.consignment_id": ["$in": .array(wanted.map { .string($0) })]],
                limit: Int32(clamping: wanted.count), deadline: deadline
            ) {
                seen += 1
                let document = VesselDocument($0)
                for step in document.steps { found[ByteKey(step.consignmentID)] = document.vessel.id }
                return true
            }
            // One consignment may have steps on several vessels, so that a full answer is not all.
            let left = wanted.filter { found[ByteKey($0)] == nil }
            guard seen == wanted.count, left.count < wanted.count else { break }
            wanted = left
        }
        return found
    }
}
