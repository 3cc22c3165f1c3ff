import Contracts
import Idempotency
import MongoStorage
import RPC
import Storage

/// All operations on one vessel that wait at a time, in the steps that ``MongoReservations`` describes: one write to the vessel's
/// document with a step for each booking and release, one to the reservations, and one that removes the steps.
struct VesselBatch {
    /// Bounds the document, and how long the first one waits for the others.
    static let countMax = 64

    struct Operation: Sendable {
        enum Kind: Sendable {
            case reserve(Room, consignmentID: String)
            case release(Room, consignmentID: String)
            case update(@Sendable (inout Vessel_Vessel) throws -> Void)
            /// Finishes the steps that others left behind.
            case finishSteps
        }

        let kind: Kind
        let deadline: Deadline
    }

    enum Outcome: Sendable {
        /// The vessel as it is then.
        case reserved(Vessel_Vessel)
        /// Another call for the consignment was faster.
        case conflict
        /// Others were, or there is no such vessel.
        case noRoom
        /// The vessel as it is then; `nil` when there is none.
        case done(Vessel_Vessel?)
    }

    /// What the reservation says of a step.
    private struct Decision {
        /// The room that the step booked, or that it is to release, is no longer to be booked.
        var isUndone: Bool
        /// The step's consignment has the room that it booked.
        var isReserved: Bool
    }

    let vesselID: String
    let connection: MongoConnection
    /// The latest of the operations'.
    let deadline: Deadline

    /// - Returns: a result for each operation. A failure of the store is thrown: then it is not known what happened.
    func apply(_ operations: [Operation]) throws -> [Result<Outcome, any Error>] {
        var results: [Result<Outcome, any Error>] = []
        // The place of each operation's step, where it has one.
        var stepOf: [Int?] = []
        let written = try rewrite { document in
            results = []
            stepOf = []
            // Steps that were left here are finished on the way.
            var isChanged = try finishSteps(of: &document)
            for operation in operations {
                do {
                    let started = try start(operation, on: &document)
                    results.append(.success(started.outcome))
                    stepOf.append(started.hasStep ? document.steps.count - 1 : nil)
                    isChanged = isChanged || started.isChange
                } catch {
                    results.append(.failure(error))
                    stepOf.append(nil)
                }
            }
            return isChanged
        }
        guard var document = written else {
            return operations.map { operation in
                guard case .reserve = operation.kind else { return .success(.done(nil)) }
                return .success(.noRoom)
            }
        }
        guard !document.steps.isEmpty else { return results }
        let decisions = try decisions(for: document.steps)
        finishSteps(of: &document, decisions)
        if try !vessels.update(document.asRead, document.changes, deadline: deadline) {
            // Another process has written here: it has finished these steps, or left them as they are.
            _ = try rewrite { try finishSteps(of: &$0) }
        }
        for (place, step) in stepOf.enumerated() {
            guard let step else { continue }
            switch operations[place].kind {
            case .reserve:
                results[place] = .success(
                    decisions[step].isReserved ? .reserved(document.vessel) : .conflict)
            case .release, .update, .finishSteps: results[place] = .success(.done(document.vessel))
            }
        }
        return results
    }

    private var vessels: MongoCollection { connection.collection(MongoVesselRepository.vessels) }
    private var reservations: MongoCollection { connection.collection(Reservation.collection) }

    /// Writes the vessel's document as `body` makes it, on the version that it was read at; again when another was faster.
    ///
    /// - Parameter body: false for a document that is to stay as it is.
    /// - Returns: the document as it is then; `nil` when there is none.
    private func rewrite(_ body: (inout VesselDocument) throws -> Bool) throws -> VesselDocument? {
        while true {
            guard
                var document = try vessels.first(
                    ["_id": .string(vesselID)], deadline: deadline, VesselDocument.init)
            else { return nil }
            guard try body(&document) else { return document }
            if try vessels.update(document.asRead, document.changes, deadline: deadline) {
                document.markWritten()
                return document
            }
        }
    }

    private struct Started {
        var outcome: Outcome
        var isChange = true
        var hasStep = false
    }

    /// Does to the vessel's document what comes before the reservations decide.
    private func start(_ operation: Operation, on document: inout VesselDocument) throws -> Started {
        guard !operation.deadline.isExpired else {
            throw StorageError(.timeout, "the call's time was over before its turn came")
        }
        switch operation.kind {
        case .reserve(let room, let consignmentID):
            guard let left = document.vessel.roomOffered, left.containers >= room.containers, left.weight >= room.weight
            else {
                // Another program may have changed the vessel and not what the search finds it by.
                return Started(outcome: .noRoom, isChange: document.roomSearched != document.vessel.roomOffered)
            }
            document.vessel.bookedContainers += room.containers
            document.vessel.bookedWeight += room.weight
            addStep(.reserve, room, consignmentID, to: &document)
            return Started(outcome: .conflict, hasStep: true)
        case .release(let room, let consignmentID):
            addStep(.release, room, consignmentID, to: &document)
            return Started(outcome: .done(nil), hasStep: true)
        case .update(let update):
            var vessel = document.vessel
            try update(&vessel)
            document.vessel = vessel
            return Started(outcome: .done(vessel))
        case .finishSteps:
            return Started(outcome: .done(document.vessel), isChange: false)
        }
    }

    private func addStep(
        _ kind: VesselDocument.Step.Kind, _ room: Room, _ consignmentID: String, to document: inout VesselDocument
    ) {
        // A new one for each try: of one whose answer was lost it is not known whether it was stored.
        document.steps.append(
            VesselDocument.Step(id: Identifier.random(), kind: kind, consignmentID: consignmentID, room: room))
    }

    /// Has the reservations decide what is to become of the steps, as far as they have not decided it before.
    ///
    /// A step's call may have died before it came to this. Going on is right for every call: who wanted the room asks again,
    /// or gives it back.
    private func decisions(for steps: [VesselDocument.Step]) throws -> [Decision] {
        let reserving = steps.indices.filter { steps[$0].kind == .reserve }
        let taken = try reservations.insertAll(
            reserving.map { Reservation(steps[$0], on: vesselID).document(of: steps[$0].consignmentID) },
            deadline: deadline)
        let releasing = steps.filter { $0.kind == .release }
        // Unless they are released already.
        try reservations.updateAll(
            releasing.map {
                (
                    ["_id": .string($0.consignmentID), "released": false],
                    ["$set": ["released": true, "release_step": .string($0.id)]]
                )
            }, deadline: deadline)
        let decidedBefore = taken.map { reserving[$0] }
        let known = try Reservation.of(
            decidedBefore.map { steps[$0].consignmentID } + releasing.map(\.consignmentID), connection, deadline)
        return steps.enumerated().map { place, step in
            let reservation = known[ByteKey(step.consignmentID)]
            switch step.kind {
            case .reserve:
                guard decidedBefore.contains(place) else { return Decision(isUndone: false, isReserved: true) }
                // It may be this step all the same: somebody else may have come to it.
                let isOurs = reservation?.stepID == step.id
                return Decision(isUndone: !isOurs, isReserved: isOurs && reservation?.isReleased == false)
            case .release:
                return Decision(isUndone: reservation?.releaseID == step.id, isReserved: false)
            }
        }
    }

    /// Finishes all steps of the vessel as the reservations say.
    ///
    /// - Returns: whether there were any.
    private func finishSteps(of document: inout VesselDocument) throws -> Bool {
        guard !document.steps.isEmpty else { return false }
        finishSteps(of: &document, try decisions(for: document.steps))
        return true
    }

    private func finishSteps(of document: inout VesselDocument, _ decisions: [Decision]) {
        for (step, decision) in zip(document.steps, decisions) where decision.isUndone {
            document.vessel.release(step.room)
        }
        document.steps = []
    }
}
