import Contracts
import Idempotency
import LeasedQueue
import MongoStorage
import RPC
import Storage

/// Consignments in MongoDB, each in one document.
///
/// No transactions, as a standalone server has none, and none are needed: each step is a write to one document. A document holds
/// its booking's idempotency key too, which a unique index gives to one alone. So the key is stored with the intent, and freed by
/// the write that begins to undo it.
struct MongoConsignmentRepository: ConsignmentRepository {
    static let consignments = "consignments"

    let store: MongoStore
    private let ids: OrderedIdentifiers
    private let oldKeys = MongoOldKeys()
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
            consignments, name: "idempotency_key_1", keys: ["idempotency_key": 1], isSparse: true, isUnique: true)
    }

    func begin(
        _ consignment: Consignment_Consignment, userID: String, claim: IdempotencyClaim?, deadline: Deadline
    ) async throws -> Booking {
        try await store.run(deadline: deadline) { connection in
            if ids.needsNewest { ids.record(newest: try Self.newest(connection, deadline)) }
            var begun = consignment
            begun.id = ids.next()
            let booking = Booking(
                consignment: begun, userID: userID, vesselID: "", state: .pending, key: claim?.id ?? [])
            guard let claim else {
                try Self.insert(booking, nil, connection, deadline)
                return booking
            }
            return try begin(booking, claim, connection, deadline)
        }
    }

    func booking(of claim: IdempotencyClaim, deadline: Deadline) async throws -> Booking? {
        try await store.run(deadline: deadline) { connection in
            guard let found = try booking(of: claim, connection, deadline) else { return nil }
            // The primary alone may have it, and lose it in a failover. An update that changes nothing ends when a majority
            // has all that the primary had.
            let isThere = try connection.collection(Self.consignments).update(
                ["_id": .string(found.id)], ["$unset": ["none": ""]], deadline: deadline)
            return isThere ? found : nil
        }
    }

    func booking(id: String, deadline: Deadline) async throws -> Booking? {
        let booking = try await store.run(deadline: deadline) { try Self.booking(id, $0, deadline) }
        return booking?.state == .undoing ? nil : booking
    }

    func confirm(_ id: String, vesselID: String, deadline: Deadline) async throws -> BookingChange? {
        try await change(
            id, from: [.pending], to: .booked, ["vessel_id": .string(vesselID), "claim": ""], unset: Self.workFields,
            deadline)
    }

    func beginUndo(_ id: String, deadline: Deadline) async throws -> Bool {
        try await store.run(deadline: deadline) { connection in
            try connection.collection(Self.consignments).update(
                Self.filter(id, [.pending]),
                ["$set": ["state": .int32(Booking.State.undoing.rawValue)], "$unset": Self.keyFields],
                deadline: deadline)
            return try Self.booking(id, connection, deadline)?.state == .undoing
        }
    }

    func remove(_ booking: Booking, deadline: Deadline) async throws -> Bool {
        try await store.run(deadline: deadline) {
            try $0.collection(Self.consignments).delete(Self.filter(booking.id, [.undoing]), deadline: deadline)
        }
    }

    func cancel(_ id: String, deadline: Deadline) async throws -> BookingChange? {
        let now = Self.milliseconds
        let change = try await change(
            id, from: [.uncounted, .booked, .pending], to: .cancelled,
            [
                "due_at": .date(milliseconds: now + BookingTimes.releaseDelay.microseconds / 1_000),
                "scheduled_at": .date(milliseconds: now), "waiting_since": .date(milliseconds: now), "claim": "",
                "attempts": 0,
            ], unset: [], deadline)
        return change?.booking.state == .cancelled ? change : nil
    }

    func markReleased(_ id: String, deadline: Deadline) async throws {
        _ = try await change(id, from: [.cancelled], to: .cancelled, ["claim": ""], unset: Self.workFields, deadline)
    }

    func makeDue(_ id: String, deadline: Deadline) async throws {
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
        _ booking: Booking, _ claim: IdempotencyClaim?, _ connection: MongoConnection, _ deadline: Deadline
    ) throws(StorageError) {
        let consignment = booking.consignment
        let containers = consignment.containers.map { container -> BSONValue in
            [
                "id": .string(container.id), "customer_id": .string(container.customerID),
                "origin": .string(container.origin), "user_id": .string(container.userID),
            ]
        }
        let now = milliseconds
        var document: BSONFields = [
            "_id": .string(consignment.id), "description": .string(consignment.description_p),
            "weight": .int32(consignment.weight), "containers": .array(containers),
            "vessel_id": .string(booking.vesselID), "user_id": .string(booking.userID),
            "state": .int32(booking.state.rawValue),
            "due_at": .date(milliseconds: now + BookingTimes.intentTimeout.microseconds / 1_000),
            "scheduled_at": .date(milliseconds: now), "waiting_since": .date(milliseconds: now), "attempts": 0,
            "claim": "", "last_error": "",
        ]
        if let claim {
            document.fields += [
                ("idempotency_key", .binary(claim.id)), ("fingerprint", .binary(claim.fingerprint)),
                ("keyed_at", .date(milliseconds: now)),
            ]
        }
        try connection.collection(consignments).insert(document, deadline: deadline)
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
    ) async throws -> BookingChange? {
        var update: BSONFields = [
            "$set": .document([("state", .int32(state.rawValue))] + fields.fields)
        ]
        if !unset.isEmpty { update.fields.append(("$unset", .document(unset.map { ($0, "") }))) }
        return try await store.run(deadline: deadline) { [update] connection in
            let changed = try connection.collection(Self.consignments).findAndUpdate(
                Self.filter(id, states), update, deadline: deadline, Self.booking)
            if let changed { return BookingChange(booking: changed, isOurs: true) }
            guard let booking = try Self.booking(id, connection, deadline), booking.state != .undoing else {
                return nil
            }
            return BookingChange(booking: booking, isOurs: false)
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
        // What a newer program wrote is shown, and nothing is done to it.
        let state = Booking.State(rawValue: document.int32("state")) ?? .uncounted
        return Booking(
            consignment: consignment, userID: document.string("user_id"), vesselID: document.string("vessel_id"),
            state: state, key: document.binary("idempotency_key"),
            owesRelease: state == .cancelled && document.has("due_at"))
    }
}

// MARK: - Keys

extension MongoConsignmentRepository {
    /// Fields that a document has only while a key stands for it.
    private static let keyFields: BSONValue = ["idempotency_key": "", "fingerprint": "", "keyed_at": ""]

    /// Stores an intent with its key, or finds what the key stands for already.
    private func begin(
        _ booking: Booking, _ claim: IdempotencyClaim, _ connection: MongoConnection, _ deadline: Deadline
    ) throws -> Booking {
        if let first = try oldKeys.booking(of: claim, connection, deadline, Self.booking) { return first }
        for _ in 0..<3 {
            do throws(StorageError) {
                try Self.insert(booking, claim, connection, deadline)
                return booking
            } catch {
                guard error.kind == .duplicateKey else { throw error }
            }
            // Not there any more when it was freed in this moment.
            if let first = try self.booking(of: claim, connection, deadline) { return first }
        }
        throw ConsignmentError.bookingUndone
    }

    private func booking(
        of claim: IdempotencyClaim, _ connection: MongoConnection, _ deadline: Deadline
    ) throws -> Booking? {
        let consignments = connection.collection(Self.consignments)
        let found = try consignments.first(["idempotency_key": .binary(claim.id)], deadline: deadline) {
            (Self.booking($0), fingerprint: $0.binary("fingerprint"), keyedAt: $0.date("keyed_at"))
        }
        guard let (booking, fingerprint, keyedAt) = found else {
            return try oldKeys.booking(of: claim, connection, deadline, Self.booking)
        }
        guard Self.milliseconds - keyedAt < IdempotencyClaim.retentionSeconds * 1_000 else {
            try consignments.update(
                ["_id": .string(booking.id), "keyed_at": .date(milliseconds: keyedAt)], ["$unset": Self.keyFields],
                deadline: deadline)
            return nil
        }
        try claim.checkRepeat(of: fingerprint)
        return booking
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
