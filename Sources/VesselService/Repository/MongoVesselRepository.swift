import Contracts
import Idempotency
import MongoStorage
import RPC
import Storage

/// Vessels in MongoDB: `vessels`, beside it `vessel_bands` and `vessel_keys`.
///
/// No transactions, as a standalone server has none. The order of the writes makes up for it: a band is raised before the
/// vessel that needs it, a key is claimed before the vessel that it answers for, and each step may be repeated.
struct MongoVesselRepository: VesselRepository {
    /// Index entries that one trip brings before the bands are asked.
    static let scanLengthMax: Int32 = 32

    static let vessels = "vessels"
    static let bands = "vessel_bands"
    static let keys = "vessel_keys"

    let store: MongoStore
    private let knownBands = KnownBands()

    init(store: MongoStore) {
        self.store = store
    }

    /// Makes the indexes; run on each new connection until it succeeded.
    static func prepare(_ connection: MongoConnection) throws {
        try connection.ensureIndex(
            vessels, name: "capacity_1_max_weight_1__id_1", keys: ["capacity": 1, "max_weight": 1, "_id": 1])
        try connection.ensureIndex(
            keys, name: "created_at_1", keys: ["created_at": 1],
            expireAfterSeconds: Int32(clamping: IdempotencyClaim.retentionSeconds))
    }

    func tightestFit(capacity: Int32, weight: Int32, deadline: Deadline) async throws -> Vessel_Vessel? {
        try await store.run(deadline: deadline) { connection in
            let vessels = connection.collection(Self.vessels)
            var seen: Int32 = 0
            var fit: Vessel_Vessel?
            try vessels.find(
                ["capacity": ["$gte": .int32(capacity)]], sort: Self.tightestFirst, limit: Self.scanLengthMax,
                deadline: deadline
            ) { document in
                seen += 1
                if document.int32("max_weight") >= weight { fit = Self.vessel(document) }
                return fit == nil
            }
            if fit != nil || seen < Self.scanLengthMax { return fit }
            return try Self.searchBands(connection, from: capacity, weight: weight, deadline)
        }
    }

    func create(_ vessel: Vessel_Vessel, claim: IdempotencyClaim?, deadline: Deadline) async throws -> Vessel_Vessel {
        try await store.run(deadline: deadline) { connection in
            if let claim { return try createOnce(vessel, claim, connection, deadline) }
            var vessel = vessel
            if vessel.id.isEmpty {
                vessel.id = Identifier.random()
            } else if try connection.collection(Self.vessels).exists(["_id": .string(vessel.id)], deadline) {
                // Refused before its bands are raised, or refused creates would leave bands behind that are too high.
                throw VesselError.idTaken(vessel.id)
            }
            try insert(vessel, attempt: nil, connection, deadline)
            return vessel
        }
    }
}

// MARK: - Searching

extension MongoVesselRepository {
    private static let tightestFirst: BSONFields = ["capacity": 1, "max_weight": 1, "_id": 1]

    private static func searchBands(
        _ connection: MongoConnection, from capacity: Int32, weight: Int32, _ deadline: Deadline
    ) throws -> Vessel_Vessel? {
        let vessels = connection.collection(Self.vessels)
        let bands = connection.collection(Self.bands)
        return try CapacityBands.search(
            from: capacity,
            firstBand: { ranges in
                let ranges = ranges.map { range -> BSONValue in
                    ["_id": ["$gte": .int64(range.lowerBound), "$lte": .int64(range.upperBound)]]
                }
                // Keys grow with the level, and within one with the capacity: the smallest is the nearest.
                return try bands.first(
                    ["$or": .array(ranges), "heaviest": ["$gte": .int32(weight)]], sort: ["_id": 1], deadline: deadline
                ) { $0.int64("_id") }
            },
            lightest: { exact in
                try vessels.first(
                    ["capacity": .int32(exact), "max_weight": ["$gte": .int32(weight)]], sort: tightestFirst,
                    deadline: deadline, vessel)
            },
            exhaustive: { start in
                try vessels.first(
                    ["capacity": ["$gte": .int32(start)], "max_weight": ["$gte": .int32(weight)]], sort: tightestFirst,
                    deadline: deadline, vessel)
            })
    }

    private static func vessel(_ document: BSONView) -> Vessel_Vessel {
        var vessel = Vessel_Vessel()
        vessel.id = document.string("_id")
        vessel.capacity = document.int32("capacity")
        vessel.maxWeight = document.int32("max_weight")
        vessel.name = document.string("name")
        vessel.available = document.bool("available")
        vessel.ownerID = document.string("owner_id")
        return vessel
    }
}

// MARK: - Storing

extension MongoVesselRepository {
    /// - Parameter attempt: the claim that the vessel is stored for.
    private func insert(
        _ vessel: Vessel_Vessel, attempt: String?, _ connection: MongoConnection, _ deadline: Deadline
    ) throws {
        try raiseBands(of: vessel, connection, deadline)
        var fields: BSONFields = [
            "_id": .string(vessel.id), "capacity": .int32(vessel.capacity), "max_weight": .int32(vessel.maxWeight),
            "name": .string(vessel.name), "available": .bool(vessel.available), "owner_id": .string(vessel.ownerID),
        ]
        if let attempt { fields.fields.append(("attempt", .string(attempt))) }
        do throws(StorageError) {
            try connection.collection(Self.vessels).insert(fields, deadline: deadline)
        } catch {
            guard error.kind == .duplicateKey else { throw error }
            throw VesselError.idTaken(vessel.id)
        }
    }

    private func raiseBands(of vessel: Vessel_Vessel, _ connection: MongoConnection, _ deadline: Deadline) throws {
        let missing = knownBands.missing(for: vessel)
        guard !missing.isEmpty else { return }
        let updates = missing.map { band -> (filter: BSONFields, update: BSONFields) in
            (["_id": .int64(band)], ["$max": ["heaviest": .int32(vessel.maxWeight)]])
        }
        do throws(StorageError) {
            try connection.collection(Self.bands).upsert(updates, deadline: deadline)
        } catch {
            guard error.kind == .duplicateKey else { throw error }
            // Two servers made the same band at the same moment; now it is there for both.
            try connection.collection(Self.bands).upsert(updates, deadline: deadline)
        }
        knownBands.note(missing, vessel.maxWeight)
    }

    /// A create with a key. A repeat, also one at the same time, finishes what an earlier call began.
    private func createOnce(
        _ vessel: Vessel_Vessel, _ claim: IdempotencyClaim, _ connection: MongoConnection, _ deadline: Deadline
    ) throws -> Vessel_Vessel {
        let vessels = connection.collection(Self.vessels)
        let keys = connection.collection(Self.keys)
        let record = try keys.claim(claim, for: vessel, deadline)
        if try record.isRepeat && vessels.holds(record, deadline) { return record.vessel }
        do {
            if !vessel.id.isEmpty, try vessels.exists(["_id": .string(vessel.id)], deadline) {
                throw VesselError.idTaken(vessel.id)
            }
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
    fileprivate func exists(_ filter: BSONFields, _ deadline: Deadline) throws(StorageError) -> Bool {
        try first(filter, deadline: deadline) { _ in true } ?? false
    }

    /// Whether the vessel is stored that a key stands for.
    fileprivate func holds(_ record: ClaimRecord, _ deadline: Deadline) throws(StorageError) -> Bool {
        try exists(["_id": .string(record.vessel.id), "attempt": .string(record.attempt)], deadline)
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
