import Contracts
import Idempotency
import LeasedQueue
import MongoStorage
import RPC
import Storage

/// Consignments in MongoDB: `consignments`, beside it `consignment_keys`.
///
/// No transactions, as a standalone server has none: each step is a write to one document. A key is stored first, with all of
/// the consignment that it stands for, and a repeat finishes what an earlier call began.
struct MongoConsignmentRepository: ConsignmentRepository {
    static let consignments = "consignments"
    static let keys = "consignment_keys"

    let store: MongoStore
    private let ids: OrderedIdentifiers
    /// Rate limit of the search for what was scheduled in the future.
    let steps = Pace(every: ClockStep.interval)

    init(store: MongoStore, ids: OrderedIdentifiers = OrderedIdentifiers()) {
        self.store = store
        self.ids = ids
    }

    /// Makes the indexes; run on each new connection until it succeeded. Pages of all need none but that of `_id`.
    static func prepare(_ connection: MongoConnection) throws {
        try connection.ensureIndex(consignments, name: "user_id_1__id_1", keys: ["user_id": 1, "_id": 1])
        // Only of those that have something left to do.
        try connection.ensureIndex(consignments, name: "due_at_1", keys: ["due_at": 1], isSparse: true)
        try connection.ensureIndex(
            consignments, name: "waiting_since_1", keys: ["waiting_since": 1], isSparse: true)
        try connection.ensureIndex(
            keys, name: "created_at_1", keys: ["created_at": 1],
            expireAfterSeconds: Int32(clamping: IdempotencyClaim.retentionSeconds))
    }

    func begin(
        _ consignment: Consignment_Consignment, userID: String, claim: IdempotencyClaim?, deadline: Deadline
    ) async throws -> Booking {
        try await store.run(deadline: deadline) { connection in
            if ids.needsNewest { ids.note(newest: try Self.newest(connection, deadline)) }
            var begun = consignment
            begun.id = ids.next()
            let booking = Booking(
                consignment: begun, userID: userID, vesselID: "", state: .pending, key: claim?.id ?? [])
            guard let claim else {
                try Self.insert(booking, connection, deadline)
                return booking
            }
            return try Self.begin(booking, claim, connection, deadline)
        }
    }

    func booking(of claim: IdempotencyClaim, deadline: Deadline) async throws -> Booking? {
        try await store.run(deadline: deadline) { connection in
            guard let record = try Self.record(of: claim, connection, deadline) else { return nil }
            let booking = try Self.booking(record.consignment.id, connection, deadline)
            return booking?.state == .undoing ? nil : booking
        }
    }

    func booking(id: String, deadline: Deadline) async throws -> Booking? {
        let booking = try await store.run(deadline: deadline) { try Self.booking(id, $0, deadline) }
        return booking?.state == .undoing ? nil : booking
    }

    func confirm(_ id: String, vesselID: String, deadline: Deadline) async throws -> Booking? {
        try await change(
            id, from: [.pending], to: .booked, ["vessel_id": .string(vesselID), "claim": ""], unset: Self.workFields,
            deadline)
    }

    func beginUndo(_ id: String, deadline: Deadline) async throws -> Bool {
        try await store.run(deadline: deadline) { connection in
            try connection.collection(Self.consignments).update(
                Self.filter(id, [.pending]), ["$set": ["state": .int32(Booking.State.undoing.rawValue)]],
                deadline: deadline)
            return try Self.booking(id, connection, deadline)?.state == .undoing
        }
    }

    func remove(_ booking: Booking, deadline: Deadline) async throws {
        try await store.run(deadline: deadline) { connection in
            // The key goes first: one that has no consignment is taken for one whose call ended before it stored it.
            if !booking.key.isEmpty {
                try connection.collection(Self.keys).delete(
                    ["_id": .binary(booking.key), "consignment_id": .string(booking.id)], deadline: deadline)
            }
            try connection.collection(Self.consignments).delete(
                Self.filter(booking.id, [.undoing]), deadline: deadline)
        }
    }

    func cancel(_ id: String, deadline: Deadline) async throws -> Booking? {
        let now = Self.milliseconds
        let booking = try await change(
            id, from: [.uncounted, .booked, .pending], to: .cancelled,
            [
                "due_at": .date(milliseconds: now + BookingTimes.releasePatience.microseconds / 1_000),
                "scheduled_at": .date(milliseconds: now), "waiting_since": .date(milliseconds: now), "claim": "",
                "attempts": 0,
            ], unset: [], deadline)
        return booking?.state == .cancelled ? booking : nil
    }

    func markReleased(_ id: String, deadline: Deadline) async throws {
        _ = try await change(id, from: [.cancelled], to: .cancelled, ["claim": ""], unset: Self.workFields, deadline)
    }

    func hurry(_ id: String, deadline: Deadline) async throws {
        let now = Self.milliseconds
        try await store.run(deadline: deadline) {
            _ = try $0.collection(Self.consignments).update(
                ["_id": .string(id), "claim": "", "due_at": ["$gt": .date(milliseconds: now)]],
                ["$set": ["due_at": .date(milliseconds: now), "scheduled_at": .date(milliseconds: now)]],
                deadline: deadline)
        }
    }

    func page(
        of userID: String?, after: String?, limit: Int, bytesMax: Int, deadline: Deadline
    ) async throws -> ConsignmentPage {
        try await store.run(deadline: deadline) { connection in
            var page = ConsignmentPage()
            var filter: BSONFields = ["_id": ["$gt": .string(after ?? "")]]
            filter.fields.append(("state", ["$ne": .int32(Booking.State.undoing.rawValue)]))
            if let userID { filter.fields.insert(("user_id", .string(userID)), at: 0) }
            try connection.collection(Self.consignments).find(
                filter, sort: userID == nil ? ["_id": 1] : ["user_id": 1, "_id": 1],
                limit: Int32(clamping: limit + 1), deadline: deadline
            ) { document in
                page.take(
                    Self.booking(document).shown, bytes: document.byteCount, limit: limit, bytesMax: bytesMax)
            }
            return page
        }
    }
}

// MARK: - Documents

extension MongoConsignmentRepository {
    private static var milliseconds: Int64 { WallClock.microseconds / 1_000 }

    /// Fields that a document has only while something is left to do.
    private static let workFields = ["due_at", "waiting_since"]

    private static func insert(
        _ booking: Booking, _ connection: MongoConnection, _ deadline: Deadline
    ) throws(StorageError) {
        let consignment = booking.consignment
        let containers = consignment.containers.map { container -> BSONValue in
            [
                "id": .string(container.id), "customer_id": .string(container.customerID),
                "origin": .string(container.origin), "user_id": .string(container.userID),
            ]
        }
        let now = milliseconds
        try connection.collection(consignments).insert(
            [
                "_id": .string(consignment.id), "description": .string(consignment.description_p),
                "weight": .int32(consignment.weight), "containers": .array(containers),
                "vessel_id": .string(booking.vesselID), "user_id": .string(booking.userID),
                "state": .int32(booking.state.rawValue), "key": .binary(booking.key),
                "due_at": .date(milliseconds: now + BookingTimes.patience.microseconds / 1_000),
                "scheduled_at": .date(milliseconds: now), "waiting_since": .date(milliseconds: now), "attempts": 0,
                "claim": "", "last_error": "",
            ], deadline: deadline)
    }

    /// Finds a booking in one of these states.
    private static func filter(_ id: String, _ states: [Booking.State]) -> BSONFields {
        // Version 1 stored no state.
        let known = states.filter { $0 != .uncounted }.map { BSONValue.int32($0.rawValue) }
        guard states.contains(.uncounted) else { return ["_id": .string(id), "state": ["$in": .array(known)]] }
        return [
            "_id": .string(id), "$or": [["state": ["$in": .array(known)]], ["state": ["$exists": false]]],
        ]
    }

    /// - Returns: the booking as it is then, also when another call changed it; `nil` when it is gone or being undone.
    private func change(
        _ id: String, from states: [Booking.State], to state: Booking.State, _ fields: BSONFields, unset: [String],
        _ deadline: Deadline
    ) async throws -> Booking? {
        var update: BSONFields = [
            "$set": .document([("state", .int32(state.rawValue))] + fields.fields)
        ]
        if !unset.isEmpty { update.fields.append(("$unset", .document(unset.map { ($0, "") }))) }
        return try await store.run(deadline: deadline) { [update] connection in
            let changed = try connection.collection(Self.consignments).findAndUpdate(
                Self.filter(id, states), update, deadline: deadline, Self.booking)
            if let changed { return changed }
            let booking = try Self.booking(id, connection, deadline)
            return booking?.state == .undoing ? nil : booking
        }
    }

    private static func booking(
        _ id: String, _ connection: MongoConnection, _ deadline: Deadline
    ) throws(StorageError) -> Booking? {
        try connection.collection(consignments).first(["_id": .string(id)], deadline: deadline, booking)
    }

    /// The largest of our ids; documents of other programs may have other ids, also of other types.
    private static func newest(
        _ connection: MongoConnection, _ deadline: Deadline
    ) throws(StorageError) -> String? {
        try connection.collection(consignments).first(
            ["_id": ["$gte": "0", "$lt": .string(OrderedIdentifiers.end)]], sort: ["_id": -1], deadline: deadline
        ) { $0.string("_id") }
    }

    private static func booking(_ document: BSONView) -> Booking {
        var consignment = Consignment_Consignment()
        consignment.id = document.string("_id")
        consignment.description_p = document.string("description")
        consignment.weight = document.int32("weight")
        document.eachDocument("containers") { document in
            var container = Consignment_Container()
            container.id = document.string("id")
            container.customerID = document.string("customer_id")
            container.origin = document.string("origin")
            container.userID = document.string("user_id")
            consignment.containers.append(container)
        }
        return Booking(
            consignment: consignment, userID: document.string("user_id"), vesselID: document.string("vessel_id"),
            // What a newer program wrote is shown, and nothing is done to it.
            state: Booking.State(rawValue: document.int32("state")) ?? .uncounted, key: document.binary("key"))
    }
}

// MARK: - Keys

extension MongoConsignmentRepository {
    /// What a key stands for.
    private struct Record {
        var consignment: Consignment_Consignment
        var userID: String
        var bytes: [UInt8]
    }

    /// Stores a key and the intent that it stands for, or finds what it stands for already.
    private static func begin(
        _ booking: Booking, _ claim: IdempotencyClaim, _ connection: MongoConnection, _ deadline: Deadline
    ) throws -> Booking {
        let keys = connection.collection(keys)
        let bytes: [UInt8] = try booking.consignment.serializedBytes()
        do throws(StorageError) {
            try keys.insert(
                [
                    "_id": .binary(claim.id), "fingerprint": .binary(claim.fingerprint), "consignment": .binary(bytes),
                    "consignment_id": .string(booking.id), "user_id": .string(booking.userID),
                    "created_at": .date(milliseconds: WallClock.seconds * 1_000),
                ], deadline: deadline)
            try insert(booking, connection, deadline)
            return booking
        } catch {
            guard error.kind == .duplicateKey else { throw error }
        }
        // It expired or was freed in this moment: the caller may try again.
        guard let record = try record(of: claim, connection, deadline) else {
            throw Status(.unavailable, "the key of an earlier call has just expired")
        }
        if let first = try Self.booking(record.consignment.id, connection, deadline) {
            guard first.state == .undoing else { return first }
            // It is being undone, so the key is for this booking. Of several repeats one gets it.
            let isOurs = try keys.update(
                ["_id": .binary(claim.id), "consignment": .binary(record.bytes)],
                [
                    "$set": [
                        "consignment": .binary(bytes), "consignment_id": .string(booking.id),
                        "created_at": .date(milliseconds: WallClock.seconds * 1_000),
                    ]
                ], deadline: deadline)
            guard isOurs else { throw Status(.unavailable, "another call with this key is being answered; try again") }
            try insert(booking, connection, deadline)
            return booking
        }
        // The call that stored the key ended right after that.
        let first = Booking(
            consignment: record.consignment, userID: record.userID, vesselID: "", state: .pending, key: claim.id)
        do throws(StorageError) {
            try insert(first, connection, deadline)
            return first
        } catch {
            // Another repeat was faster; under this id there is nothing else.
            guard error.kind == .duplicateKey else { throw error }
            guard let stored = try Self.booking(first.id, connection, deadline), stored.state != .undoing else {
                throw Status(.unavailable, "another call with this key is being answered; try again")
            }
            return stored
        }
    }

    private static func record(
        of claim: IdempotencyClaim, _ connection: MongoConnection, _ deadline: Deadline
    ) throws -> Record? {
        let found = try connection.collection(keys).first(["_id": .binary(claim.id)], deadline: deadline) {
            (fingerprint: $0.binary("fingerprint"), bytes: $0.binary("consignment"), userID: $0.string("user_id"))
        }
        guard let found else { return nil }
        try claim.checkRepeat(of: found.fingerprint)
        return Record(
            consignment: try Consignment_Consignment(knownFieldsOf: found.bytes), userID: found.userID,
            bytes: found.bytes)
    }
}

// MARK: - What is left to do

extension MongoConsignmentRepository: MongoLeasedQueue {
    static let leases = MongoLeases(collection: consignments)

    static func item(_ document: BSONView) -> Booking { booking(document) }

    func finish(_ leases: [Lease], deadline: Deadline) async throws {
        try await store.run(deadline: deadline) { connection in
            for lease in leases {
                try connection.collection(Self.consignments).update(
                    Self.leases.held(lease),
                    ["$set": ["claim": ""], "$unset": .document(Self.workFields.map { ($0, "") })], deadline: deadline)
            }
        }
    }

    func statistics(deadline: Deadline) async throws -> LeasedQueueStatistics {
        try await store.run(deadline: deadline) { connection in
            let consignments = connection.collection(Self.consignments)
            let pending: BSONFields = ["waiting_since": ["$gt": .date(milliseconds: 0)]]
            let oldest = try consignments.first(pending, sort: ["waiting_since": 1], deadline: deadline) {
                $0.date("waiting_since")
            }
            guard let oldest else { return LeasedQueueStatistics() }
            let count = try consignments.count(
                pending, limit: Int64(LeasedQueueStatistics.countMax), deadline: deadline)
            return LeasedQueueStatistics(pending: count, since: oldest * 1_000)
        }
    }
}
