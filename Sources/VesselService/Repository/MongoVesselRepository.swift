import Contracts
import Idempotency
import MongoStorage
import RPC
import Storage

/// Vessels in MongoDB: `vessels`, beside it `vessel_keys`, and `reservations` (``MongoReservations``).
///
/// No transactions, as a standalone server has none: each step is a write to one document, and may be repeated. A key is
/// claimed before the vessel that it answers for.
struct MongoVesselRepository: VesselRepository {
    static let vessels = "vessels"
    static let keys = "vessel_keys"

    let store: MongoStore
    private let reservations: MongoReservations

    init(store: MongoStore) {
        self.store = store
        reservations = MongoReservations(store: store)
    }

    /// Makes the indexes, and takes over what older versions and other programs stored; run on each new connection until it
    /// succeeded.
    static func prepare(_ connection: MongoConnection) throws {
        try connection.ensureIndex(
            vessels, name: "offered_containers_1_offered_weight_1__id_1",
            keys: ["offered_containers": 1, "offered_weight": 1, "_id": 1])
        for level in RoomIndex.levels {
            let group = VesselDocument.groupField(level)
            try connection.ensureIndex(
                vessels, name: "\(group)_1_offered_weight_-1",
                keys: BSONFields([(group, 1), ("offered_weight", -1)]))
        }
        try connection.ensureIndex(vessels, name: "layout_1", keys: ["layout": 1])
        try connection.ensureIndex(
            vessels, name: "steps.consignment_id_1", keys: ["steps.consignment_id": 1], isSparse: true)
        try connection.ensureIndex(vessels, name: "steps_since_1", keys: ["steps_since": 1])
        try connection.ensureIndex(
            keys, name: "created_at_1", keys: ["created_at": 1],
            expireAfterSeconds: Int32(clamping: IdempotencyClaim.retentionSeconds))
        try takeOver(connection, .never)
    }

    func create(_ vessel: Vessel_Vessel, claim: IdempotencyClaim?, deadline: Deadline) async throws -> Vessel_Vessel {
        try await store.run(deadline: deadline) { connection in
            if let claim { return try Self.createOnce(vessel, claim, connection, deadline) }
            var vessel = vessel
            if vessel.id.isEmpty { vessel.id = Identifier.random() }
            try Self.insert(vessel, attempt: nil, connection, deadline)
            return vessel
        }
    }

    func tightestFit(_ room: Room, deadline: Deadline) async throws -> Vessel_Vessel? {
        try await store.run(deadline: deadline) { try Self.tightestFit(room, $0, deadline)?.vessel }
    }

    func vessel(id: String, deadline: Deadline) async throws -> Vessel_Vessel? {
        try await store.run(deadline: deadline) { connection in
            try connection.collection(Self.vessels).first(
                ["_id": .string(id)], deadline: deadline, VesselDocument.init)?
                .vessel
        }
    }

    func page(after: String?, limit: Int, deadline: Deadline) async throws -> [Vessel_Vessel] {
        try await store.run(deadline: deadline) { connection in
            var vessels: [Vessel_Vessel] = []
            try connection.collection(Self.vessels).find(
                ["_id": ["$gt": .string(after ?? "")]], sort: ["_id": 1], limit: Int32(clamping: limit),
                deadline: deadline
            ) {
                vessels.append(VesselDocument($0).vessel)
                return true
            }
            return vessels
        }
    }

    func update(
        id: String, deadline: Deadline, _ change: @escaping @Sendable (inout Vessel_Vessel) throws -> Void
    ) async throws -> Vessel_Vessel? {
        try await reservations.update(id, deadline: deadline, change)
    }

    func reserve(_ room: Room, for consignmentID: String, deadline: Deadline) async throws -> Vessel_Vessel? {
        try await reservations.reserve(room, for: consignmentID, deadline: deadline)
    }

    func release(_ consignmentID: String, deadline: Deadline) async throws {
        try await reservations.release(consignmentID, deadline: deadline)
    }

    func largestRoom(deadline: Deadline) async throws -> Room {
        try await store.run(deadline: deadline) { connection in
            let vessels = connection.collection(Self.vessels)
            let group = VesselDocument.groupField(RoomIndex.levels.upperBound)
            let containers = try vessels.first(
                ["offered_containers": ["$gte": 0]],
                sort: ["offered_containers": -1, "offered_weight": -1, "_id": -1], deadline: deadline
            ) { $0.int32("offered_containers") }
            let weight = try vessels.first(
                BSONFields([(group, 0)]), sort: BSONFields([(group, 1), ("offered_weight", -1)]), deadline: deadline
            ) { $0.int32("offered_weight") }
            return Room(containers: containers ?? 0, weight: weight ?? 0)
        }
    }

    func tidy(deadline: Deadline) async throws {
        try await store.run(deadline: deadline) { try Self.takeOver($0, deadline) }
        try await reservations.finishOldSteps(deadline: deadline)
    }
}

// MARK: - Searching

extension MongoVesselRepository {
    /// Index entries that one trip brings before the groups are asked.
    private static let scanLengthMax: Int32 = 32
    private static let tightestFirst: BSONFields = ["offered_containers": 1, "offered_weight": 1, "_id": 1]

    static func tightestFit(
        _ room: Room, _ connection: MongoConnection, _ deadline: Deadline
    ) throws -> VesselDocument? {
        let vessels = connection.collection(Self.vessels)
        var seen: Int32 = 0
        var fit: VesselDocument?
        try vessels.find(
            ["offered_containers": ["$gte": .int32(room.containers)]], sort: tightestFirst, limit: scanLengthMax,
            deadline: deadline
        ) { document in
            seen += 1
            guard document.int32("offered_weight") >= room.weight else { return true }
            fit = VesselDocument(document)
            return false
        }
        if fit != nil || seen < scanLengthMax { return fit }
        // A vessel whose room changes between two trips may move to where the search has been already: once more, before it
        // says that there is none.
        var emptySearches = 0
        while emptySearches < 2 {
            switch try searchGroups(room, vessels, deadline) {
            case .fit(let document): return document
            case .none: emptySearches += 1
            case .changed: continue
            }
        }
        return nil
    }

    private static func searchGroups(
        _ room: Room, _ vessels: MongoCollection, _ deadline: Deadline
    ) throws -> RoomIndex.Outcome<VesselDocument> {
        try RoomIndex.search(
            from: room.containers,
            near: { numbers in
                try vessels.first(
                    [
                        "offered_containers": ["$gte": .int32(numbers.lowerBound), "$lte": .int32(numbers.upperBound)],
                        "offered_weight": ["$gte": .int32(room.weight)],
                    ], sort: tightestFirst, deadline: deadline, VesselDocument.init)
            },
            firstGroup: { level, groups in
                let group = VesselDocument.groupField(level)
                return try vessels.first(
                    BSONFields([
                        (group, ["$gte": .int32(groups.lowerBound), "$lte": .int32(groups.upperBound)]),
                        ("offered_weight", ["$gte": .int32(room.weight)]),
                    ]), sort: BSONFields([(group, 1), ("offered_weight", -1)]), deadline: deadline
                ) { $0.int32(group) }
            })
    }
}

// MARK: - Storing

extension MongoVesselRepository {
    /// Vessels that are taken over in one go.
    private static let takenOverMax: Int32 = 500

    /// - Parameter attempt: the claim that the vessel is stored for.
    private static func insert(
        _ vessel: Vessel_Vessel, attempt: String?, _ connection: MongoConnection, _ deadline: Deadline
    ) throws {
        var document = VesselDocument(vessel)
        document.attempt = attempt
        do throws(StorageError) {
            try connection.collection(Self.vessels).insert(document.inserted, deadline: deadline)
        } catch {
            guard error.kind == .duplicateKey else { throw error }
            throw VesselError.idTaken(vessel.id)
        }
    }

    /// Gives vessels of older versions and other programs what the search needs. What they don't say of bookings counts as
    /// nothing booked.
    private static func takeOver(_ connection: MongoConnection, _ deadline: Deadline) throws {
        let vessels = connection.collection(Self.vessels)
        while true {
            var found: [VesselDocument] = []
            // Ids of other types are none of ours: no call could name them.
            try vessels.find(
                ["layout": ["$exists": false], "_id": ["$type": "string"]], limit: takenOverMax, deadline: deadline
            ) {
                found.append(VesselDocument($0))
                return true
            }
            // The first process takes one over.
            try vessels.updateAll(
                found.map {
                    (["_id": .string($0.vessel.id), "layout": ["$exists": false]], $0.changes)
                }, deadline: deadline)
            if found.count < takenOverMax { return }
        }
    }

    /// A create with a key. A repeat, also one at the same time, finishes what an earlier call began.
    private static func createOnce(
        _ vessel: Vessel_Vessel, _ claim: IdempotencyClaim, _ connection: MongoConnection, _ deadline: Deadline
    ) throws -> Vessel_Vessel {
        let vessels = connection.collection(Self.vessels)
        let keys = connection.collection(Self.keys)
        let record = try keys.claim(claim, for: vessel, deadline)
        if try record.isRepeat && vessels.holds(record, deadline) { return record.vessel }
        do {
            try insert(record.vessel, attempt: record.attempt, connection, deadline)
        } catch let error as VesselError {
            // Either a call with the same key was faster, or the id belongs to another vessel; then the key is free again.
            if try vessels.holds(record, deadline) { return record.vessel }
            try keys.delete(["_id": .binary(claim.id), "attempt": .string(record.attempt)], deadline: deadline)
            throw error
        }
        return record.vessel
    }
}

/// What is stored under a key: the vessel that the key stands for, before that vessel is stored itself.
private struct ClaimRecord {
    var vessel: Vessel_Vessel
    /// Marks the vessel as this claim's: a vessel with the same id and another mark is somebody else's.
    var attempt: String
    var isRepeat: Bool
}

extension MongoCollection {
    /// Whether the vessel is stored that a key stands for.
    fileprivate func holds(_ record: ClaimRecord, _ deadline: Deadline) throws(StorageError) -> Bool {
        try first(
            ["_id": .string(record.vessel.id), "attempt": .string(record.attempt)], deadline: deadline
        ) { _ in true } ?? false
    }

    /// Claims a key for a vessel, or reads who claimed it before.
    ///
    /// - Throws: ABORTED when it was claimed for another request.
    fileprivate func claim(
        _ claim: IdempotencyClaim, for vessel: Vessel_Vessel, _ deadline: Deadline
    ) throws -> ClaimRecord {
        var record = ClaimRecord(vessel: vessel, attempt: Identifier.random(), isRepeat: false)
        if vessel.id.isEmpty { record.vessel.id = Identifier.random() }
        let bytes: [UInt8] = try record.vessel.serializedBytes()
        do throws(StorageError) {
            try insert(
                [
                    "_id": .binary(claim.id), "fingerprint": .binary(claim.fingerprint), "vessel": .binary(bytes),
                    "attempt": .string(record.attempt), "created_at": .date(milliseconds: WallClock.seconds * 1_000),
                ], deadline: deadline)
            return record
        } catch {
            guard error.kind == .duplicateKey else { throw error }
            let found = try first(["_id": .binary(claim.id)], deadline: deadline) {
                (fingerprint: $0.binary("fingerprint"), vessel: $0.binary("vessel"), attempt: $0.string("attempt"))
            }
            // Freed in this moment, by a call that was refused: the caller may try again.
            guard let found else { throw Status(.unavailable, "a call with the same key has just been refused") }
            try claim.checkRepeat(of: found.fingerprint)
            return ClaimRecord(
                vessel: try Vessel_Vessel(knownFieldsOf: found.vessel), attempt: found.attempt, isRepeat: true)
        }
    }
}
