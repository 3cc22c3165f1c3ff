import Contracts
import Idempotency
import MongoStorage
import RPC
import Storage

/// Booked room in MongoDB, without transactions: a write to one document at a time, each of which may be the last one of a
/// process that dies.
///
/// To reserve is three steps: the room is booked in the vessel's document together with a *step* that says for which
/// consignment; the reservation is inserted, under the consignment's id, and names the step; the step is removed. The
/// reservation decides. Of two calls for one consignment one inserts it, and the other finds in it a step that is not its
/// own and takes its booking back. To release is a step in the vessel's document, then the reservation is marked and names
/// that step, then the room is given back together with the step. So booked room is never less than what is reserved, and
/// any process that finds a step can read in the reservation how it has to be finished: what happens to a step is a
/// write that names the version of the document, and happens once.
///
/// The models in Tests/Models check this for crashes and repeats at each step.
struct MongoReservations: Sendable {
    static let reservations = "reservations"

    /// Steps that are older are finished by anybody, in seconds: their calls are over.
    static let stepSecondsMax: Int64 = 10
    private static let finishedAtOnceMax: Int32 = 100

    let store: MongoStore
    /// Within a process, those who want one vessel have their turns, so that they don't keep each other from writing.
    private let turns = KeyedTurns()

    init(store: MongoStore) {
        self.store = store
    }

    func reserve(_ room: Room, for consignmentID: String, deadline: Deadline) async throws -> Vessel_Vessel? {
        while true {
            let found = try await store.run(deadline: deadline) { connection -> Found in
                if let known = try Self.reservation(of: consignmentID, connection, deadline) { return .reserved(known) }
                return .fit(try MongoVesselRepository.tightestFit(room, connection, deadline)?.vessel.id)
            }
            switch found {
            case .reserved(let reservation):
                return try await reserved(reservation, consignmentID, deadline)
            case .fit(nil):
                guard try await finishOwnSteps(of: consignmentID, deadline) else { return nil }
            case .fit(let vesselID?):
                let taken = try await turns.inTurn(vesselID) {
                    try await store.run(deadline: deadline) {
                        try Self.take(room, for: consignmentID, on: vesselID, $0, deadline)
                    }
                }
                switch taken {
                case .reserved(let vessel): return vessel
                case .knownAlready, .noRoom: continue
                }
            }
        }
    }

    func release(_ consignmentID: String, deadline: Deadline) async throws {
        while true {
            let known = try await store.run(deadline: deadline) { connection -> Reservation? in
                if let known = try Self.reservation(of: consignmentID, connection, deadline) { return known }
                // Stays, so that a Reserve that was overtaken is refused.
                let tombstone = Reservation(isReleased: true)
                guard try Self.insert(tombstone, consignmentID, connection, deadline) else { return nil }
                return tombstone
            }
            // It was reserved in this moment.
            guard let known else { continue }
            // Released before it was reserved: there is no room to give back.
            guard !known.vesselID.isEmpty else { return }
            return try await turns.inTurn(known.vesselID) {
                try await store.run(deadline: deadline) { try Self.giveBack(known, consignmentID, $0, deadline) }
            }
        }
    }

    /// Changes a vessel's document, whatever others do to it meanwhile.
    ///
    /// - Returns: the vessel as it is then; `nil` when there is none.
    func change(
        _ vesselID: String, deadline: Deadline, _ change: @escaping @Sendable (inout VesselDocument) throws -> Void
    ) async throws -> Vessel_Vessel? {
        try await turns.inTurn(vesselID) {
            try await store.run(deadline: deadline) {
                try Self.change(vesselID, $0, deadline) {
                    try change(&$0)
                    return true
                }?.vessel
            }
        }
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
        for id in ids {
            try await turns.inTurn(id) {
                try await store.run(deadline: deadline) { try Self.finishSteps(of: id, $0, deadline) }
            }
        }
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
            try await turns.inTurn(vesselID) {
                try await store.run(deadline: deadline) { try Self.finishSteps(of: vesselID, $0, deadline) }
            }
            return true
        }
        // Only after that: a step that is gone has left a reservation.
        return try await store.run(deadline: deadline) {
            try Self.reservation(of: consignmentID, $0, deadline) != nil
        }
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
}

// MARK: - Reservations

extension MongoReservations {
    /// A consignment's room. Once it is released it stays so.
    private struct Reservation: Equatable {
        var vesselID = ""
        var room = Room(containers: 0, weight: 0)
        /// The step that reserved it.
        var stepID = ""
        var isReleased = false
        /// The step that releases it.
        var releaseID = ""
    }

    private enum Found: Sendable {
        case reserved(Reservation)
        case fit(String?)
    }

    private enum Taken: Sendable {
        case reserved(Vessel_Vessel)
        /// Another call for the consignment was faster.
        case knownAlready
        /// Others were.
        case noRoom
    }

    private static func reservation(
        of consignmentID: String, _ connection: MongoConnection, _ deadline: Deadline
    ) throws(StorageError) -> Reservation? {
        try connection.collection(reservations).first(["_id": .string(consignmentID)], deadline: deadline) {
            Reservation(
                vesselID: $0.string("vessel_id"),
                room: Room(containers: $0.int32("containers"), weight: $0.int32("weight")), stepID: $0.string("step"),
                isReleased: $0.bool("released"), releaseID: $0.string("release_step"))
        }
    }

    /// - Returns: false when there is one already.
    private static func insert(
        _ reservation: Reservation, _ consignmentID: String, _ connection: MongoConnection, _ deadline: Deadline
    ) throws(StorageError) -> Bool {
        do throws(StorageError) {
            try connection.collection(reservations).insert(
                [
                    "_id": .string(consignmentID), "vessel_id": .string(reservation.vesselID),
                    "containers": .int32(reservation.room.containers), "weight": .int32(reservation.room.weight),
                    "step": .string(reservation.stepID), "released": .bool(reservation.isReleased),
                    "release_step": .string(reservation.releaseID),
                ], deadline: deadline)
            return true
        } catch {
            guard error.kind == .duplicateKey else { throw error }
            return false
        }
    }

    /// Marks a reservation as released by a step, unless it is released already.
    private static func markReleased(
        _ consignmentID: String, by stepID: String, _ connection: MongoConnection, _ deadline: Deadline
    ) throws(StorageError) {
        try connection.collection(reservations).update(
            ["_id": .string(consignmentID), "released": false],
            ["$set": ["released": true, "release_step": .string(stepID)]], deadline: deadline)
    }
}

// MARK: - Steps

extension MongoReservations {
    /// Writes a vessel's document as `body` makes it, on the version that it was read at; again when another was faster.
    ///
    /// - Parameter body: false for a document that is to stay as it is.
    /// - Returns: the document as it is then; `nil` when there is none.
    private static func change(
        _ vesselID: String, _ connection: MongoConnection, _ deadline: Deadline,
        _ body: (inout VesselDocument) throws -> Bool
    ) throws -> VesselDocument? {
        let vessels = connection.collection(MongoVesselRepository.vessels)
        while true {
            guard
                var document = try vessels.first(
                    ["_id": .string(vesselID)], deadline: deadline, VesselDocument.init)
            else { return nil }
            guard try body(&document) else { return document }
            if try vessels.update(document.asRead, document.changes, deadline: deadline) {
                document.noteWritten()
                return document
            }
        }
    }

    /// Books room on a vessel.
    private static func take(
        _ room: Room, for consignmentID: String, on vesselID: String, _ connection: MongoConnection,
        _ deadline: Deadline
    ) throws -> Taken {
        var stepID = ""
        var hasRoom = false
        let document = try change(vesselID, connection, deadline) { document in
            // Steps that were left here are finished on the way.
            try finishSteps(&document, connection, deadline)
            let offered = document.vessel.roomOffered
            hasRoom = offered.map { $0.containers >= room.containers && $0.weight >= room.weight } ?? false
            guard hasRoom else { return false }
            document.vessel.bookedContainers += room.containers
            document.vessel.bookedWeight += room.weight
            // A new one for each try: of one whose answer was lost it is not known whether it was stored.
            stepID = Identifier.random()
            document.steps.append(
                VesselDocument.Step(id: stepID, kind: .reserve, consignmentID: consignmentID, room: room))
            return true
        }
        guard hasRoom, var document else { return .noRoom }
        let isFirst = try insert(
            Reservation(vesselID: vesselID, room: room, stepID: stepID), consignmentID, connection, deadline)
        guard !isFirst else {
            document.steps.removeAll { $0.id == stepID }
            // Who was faster has finished the step on the way.
            try connection.collection(MongoVesselRepository.vessels).update(
                document.asRead, document.changes, deadline: deadline)
            return .reserved(document.vessel)
        }
        try finishSteps(of: vesselID, connection, deadline)
        // It may be ours all the same: somebody else may have finished our step.
        let known = try reservation(of: consignmentID, connection, deadline)
        return known?.stepID == stepID && known?.isReleased == false ? .reserved(document.vessel) : .knownAlready
    }

    /// Gives back a reservation's room, unless that has been done.
    private static func giveBack(
        _ known: Reservation, _ consignmentID: String, _ connection: MongoConnection, _ deadline: Deadline
    ) throws {
        if !known.isReleased {
            var stepID = ""
            _ = try change(known.vesselID, connection, deadline) {
                // A new one for each try, as above.
                stepID = Identifier.random()
                $0.steps.append(
                    VesselDocument.Step(
                        id: stepID, kind: .release, consignmentID: consignmentID, room: known.room))
                return true
            }
            try markReleased(consignmentID, by: stepID, connection, deadline)
        }
        try finishSteps(of: known.vesselID, connection, deadline)
    }

    /// Finishes all steps of a vessel.
    private static func finishSteps(
        of vesselID: String, _ connection: MongoConnection, _ deadline: Deadline
    ) throws {
        _ = try change(vesselID, connection, deadline) { document in
            guard !document.steps.isEmpty else { return false }
            try finishSteps(&document, connection, deadline)
            return true
        }
    }

    /// What the document is once all of its steps are finished: the reservations say how.
    private static func finishSteps(
        _ document: inout VesselDocument, _ connection: MongoConnection, _ deadline: Deadline
    ) throws {
        for step in document.steps {
            let isUndone: Bool
            switch step.kind {
            case .reserve:
                // Its call may have died before it came to this. Going on is right for every call: who wanted the room
                // asks again, or gives it back.
                let reservation = Reservation(vesselID: document.vessel.id, room: step.room, stepID: step.id)
                let isFirst = try insert(reservation, step.consignmentID, connection, deadline)
                let decided = try isFirst ? reservation : Self.reservation(of: step.consignmentID, connection, deadline)
                isUndone = decided?.stepID != step.id
            case .release:
                try markReleased(step.consignmentID, by: step.id, connection, deadline)
                let decided = try Self.reservation(of: step.consignmentID, connection, deadline)
                isUndone = decided?.releaseID == step.id
            }
            guard isUndone else { continue }
            document.vessel.bookedContainers -= step.room.containers
            document.vessel.bookedWeight -= step.room.weight
        }
        document.steps = []
    }
}
