import Contracts
import Idempotency
import MongoStorage
import RPC
import Storage

/// Consignments in MongoDB: `consignments`, beside it `consignment_keys`.
///
/// No transactions, as a standalone server has none: a key is stored first, with all of the consignment that it stands
/// for, and a repeat finishes what an earlier call began.
struct MongoConsignmentRepository: ConsignmentRepository {
    static let consignments = "consignments"
    static let keys = "consignment_keys"

    let store: MongoStore
    private let ids: OrderedIdentifiers

    init(store: MongoStore, ids: OrderedIdentifiers = OrderedIdentifiers()) {
        self.store = store
        self.ids = ids
    }

    /// Makes the indexes; run on each new connection until it succeeded. Pages need none but that of `_id`.
    static func prepare(_ connection: MongoConnection) throws {
        try connection.ensureIndex(
            keys, name: "created_at_1", keys: ["created_at": 1],
            expireAfterSeconds: Int32(clamping: IdempotencyClaim.retentionSeconds))
    }

    func create(
        _ consignment: Consignment_Consignment, userID: String, claim: IdempotencyClaim?, deadline: Deadline
    ) async throws -> Consignment_Consignment {
        try await store.run(deadline: deadline) { connection in
            var booked = consignment
            if ids.needsNewest { ids.note(newest: try Self.newest(connection, deadline)) }
            booked.id = ids.next()
            if let claim, let first = try Self.claim(claim, for: booked, userID: userID, connection, deadline) {
                return try Self.finish(first, connection, deadline)
            }
            try Self.insert(booked, userID: userID, connection, deadline)
            return booked
        }
    }

    func answer(to claim: IdempotencyClaim, deadline: Deadline) async throws -> Consignment_Consignment? {
        try await store.run(deadline: deadline) { connection in
            guard let first = try Self.record(of: claim, connection, deadline) else { return nil }
            return try Self.finish(first, connection, deadline)
        }
    }

    func page(
        after: String?, limit: Int, bytesMax: Int, deadline: Deadline
    ) async throws -> ConsignmentPage {
        try await store.run(deadline: deadline) { connection in
            var page = ConsignmentPage()
            try connection.collection(Self.consignments).find(
                ["_id": ["$gt": .string(after ?? "")]], sort: ["_id": 1], limit: Int32(clamping: limit + 1),
                deadline: deadline
            ) { document in
                page.take(
                    Self.consignment(document), bytes: document.byteCount, limit: limit, bytesMax: bytesMax)
            }
            return page
        }
    }
}

// MARK: - Documents

extension MongoConsignmentRepository {
    private static func insert(
        _ consignment: Consignment_Consignment, userID: String, _ connection: MongoConnection, _ deadline: Deadline
    ) throws(StorageError) {
        let containers = consignment.containers.map { container -> BSONValue in
            [
                "id": .string(container.id), "customer_id": .string(container.customerID),
                "origin": .string(container.origin), "user_id": .string(container.userID),
            ]
        }
        try connection.collection(consignments).insert(
            [
                "_id": .string(consignment.id), "description": .string(consignment.description_p),
                "weight": .int32(consignment.weight), "containers": .array(containers),
                "vessel_id": .string(consignment.vesselID), "user_id": .string(userID),
            ], deadline: deadline)
    }

    /// The largest of our ids; documents of other programs may have other ids, also of other types.
    private static func newest(
        _ connection: MongoConnection, _ deadline: Deadline
    ) throws(StorageError) -> String? {
        try connection.collection(consignments).first(
            ["_id": ["$gte": "0", "$lt": .string(OrderedIdentifiers.end)]], sort: ["_id": -1], deadline: deadline
        ) { $0.string("_id") }
    }

    private static func consignment(_ document: BSONView) -> Consignment_Consignment {
        var consignment = Consignment_Consignment()
        consignment.id = document.string("_id")
        consignment.description_p = document.string("description")
        consignment.weight = document.int32("weight")
        consignment.vesselID = document.string("vessel_id")
        document.eachDocument("containers") { document in
            var container = Consignment_Container()
            container.id = document.string("id")
            container.customerID = document.string("customer_id")
            container.origin = document.string("origin")
            container.userID = document.string("user_id")
            consignment.containers.append(container)
        }
        return consignment
    }
}

// MARK: - Keys

extension MongoConsignmentRepository {
    /// What a key stands for.
    private struct Record {
        var consignment: Consignment_Consignment
        var userID: String
    }

    /// Stores a key, with the consignment that it stands for.
    ///
    /// - Returns: what it already stands for; `nil` when it is ours.
    private static func claim(
        _ claim: IdempotencyClaim, for consignment: Consignment_Consignment, userID: String,
        _ connection: MongoConnection, _ deadline: Deadline
    ) throws -> Record? {
        let bytes: [UInt8] = try consignment.serializedBytes()
        do throws(StorageError) {
            try connection.collection(keys).insert(
                [
                    "_id": .binary(claim.id), "fingerprint": .binary(claim.fingerprint), "consignment": .binary(bytes),
                    "user_id": .string(userID), "created_at": .date(milliseconds: WallClock.seconds * 1_000),
                ], deadline: deadline)
            return nil
        } catch {
            guard error.kind == .duplicateKey else { throw error }
        }
        if let record = try record(of: claim, connection, deadline) { return record }
        // It expired in this moment: the caller may try again.
        throw Status(.unavailable, "the key of an earlier call has just expired")
    }

    private static func record(
        of claim: IdempotencyClaim, _ connection: MongoConnection, _ deadline: Deadline
    ) throws -> Record? {
        let found = try connection.collection(keys).first(["_id": .binary(claim.id)], deadline: deadline) {
            (fingerprint: $0.binary("fingerprint"), bytes: $0.binary("consignment"), userID: $0.string("user_id"))
        }
        guard let found else { return nil }
        try claim.checkRepeat(of: found.fingerprint)
        return Record(consignment: try Consignment_Consignment(knownFieldsOf: found.bytes), userID: found.userID)
    }

    /// Makes sure that the consignment is stored: the call that stored the key may have ended right after it.
    private static func finish(
        _ record: Record, _ connection: MongoConnection, _ deadline: Deadline
    ) throws -> Consignment_Consignment {
        let isStored = try connection.collection(consignments).first(
            ["_id": .string(record.consignment.id)], deadline: deadline
        ) { _ in true }
        if isStored == nil {
            do throws(StorageError) {
                try insert(record.consignment, userID: record.userID, connection, deadline)
            } catch {
                // Another repeat was faster; under this id there is nothing else.
                guard error.kind == .duplicateKey else { throw error }
            }
        }
        return record.consignment
    }
}
