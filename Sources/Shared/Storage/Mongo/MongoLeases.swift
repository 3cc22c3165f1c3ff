import Idempotency
import LeasedQueue
import RPC
import Storage

/// A queue in a collection of MongoDB: how items are claimed and released, for every such queue.
///
/// Its documents have the fields `due_at`, `scheduled_at` (see ``ClockStep``), `attempts`, `claim` and `last_error`. It wants
/// an index on the fields of ``MongoLeases/pending`` and `due_at`.
package protocol MongoLeasedQueue: LeasedQueue {
    static var leases: MongoLeases { get }
    var store: MongoStore { get }
    /// Rate limit of the search for what was scheduled in the future.
    var steps: Pace { get }

    static func item(_ document: BSONView) -> Item
}

/// Where a ``MongoLeasedQueue`` is.
package struct MongoLeases: Sendable {
    /// Items that one claim moves at most; later claims move the rest.
    fileprivate static let movedMax: Int32 = 1_000

    let collection: String
    /// What is true of items that wait or are being worked on, beside having a `due_at`.
    let pending: BSONFields

    package init(collection: String, pending: BSONFields = [:]) {
        self.collection = collection
        self.pending = pending
    }

    /// Finds an item as long as its lease holds.
    package func held(_ lease: Lease) -> BSONFields {
        BSONFields([("_id", .string(lease.itemID)), ("claim", .string(lease.token))] + pending.fields)
    }

    fileprivate func pending(_ more: BSONFields) -> BSONFields { BSONFields(pending.fields + more.fields) }

    /// As the index has them.
    fileprivate var order: BSONFields { BSONFields(pending.fields.map { ($0.0, 1) } + [("due_at", 1)]) }

    fileprivate static var now: Int64 { WallClock.microseconds / 1_000 }
}

extension MongoLeasedQueue {
    package func claim(limit: Int, lease: Duration, deadline: Deadline) async throws -> [LeasedItem<Item>] {
        let reschedules = steps.isDue()
        return try await store.run(deadline: deadline) { connection in
            let now = MongoLeases.now
            if reschedules { try Self.rescheduleFuture(now, connection, deadline) }
            var items: [LeasedItem<Item>] = []
            do {
                while items.count < limit, let item = try Self.take(now, lease, connection, deadline) {
                    items.append(item)
                }
            } catch {
                // Those that are claimed would otherwise wait for the end of their lease.
                if items.isEmpty { throw error }
            }
            return items
        }
    }

    package func retry(
        _ lease: Lease, after delay: Duration, error: String, deadline: Deadline
    ) async throws -> Bool {
        let now = MongoLeases.now
        return try await update(
            lease,
            [
                "claim": "", "due_at": .date(milliseconds: now + delay.microseconds / 1_000),
                "scheduled_at": .date(milliseconds: now), "last_error": .string(error),
            ], deadline)
    }

    /// Sets fields of an item.
    ///
    /// - Returns: false when the lease was lost to another; then nothing is changed.
    package func update(_ lease: Lease, _ fields: BSONFields, _ deadline: Deadline) async throws -> Bool {
        try await store.run(deadline: deadline) { connection in
            try connection.collection(Self.leases.collection).update(
                Self.leases.held(lease), ["$set": .document(fields.fields)], deadline: deadline)
        }
    }

    private static func take(
        _ now: Int64, _ lease: Duration, _ connection: MongoConnection, _ deadline: Deadline
    ) throws(StorageError) -> LeasedItem<Item>? {
        let token = Identifier.random()
        return try connection.collection(leases.collection).findAndUpdate(
            leases.pending(["due_at": ["$lte": .date(milliseconds: now)]]), sort: leases.order,
            [
                "$set": [
                    "claim": .string(token), "due_at": .date(milliseconds: now + lease.microseconds / 1_000),
                    "scheduled_at": .date(milliseconds: now),
                ],
                "$inc": ["attempts": 1],
            ], deadline: deadline
        ) { document in
            LeasedItem(
                item(document), lease: Lease(itemID: document.string("_id"), token: token),
                attempts: max(0, Int(document.int64("attempts")) - 1))
        }
    }

    /// Reschedules items that were scheduled in the future; see ``ClockStep``. Each is rescheduled once, whatever other
    /// replicas do.
    private static func rescheduleFuture(
        _ now: Int64, _ connection: MongoConnection, _ deadline: Deadline
    ) throws(StorageError) {
        let collection = connection.collection(leases.collection)
        let ahead = now + ClockStep.secondsMin * 1_000
        var found: [(id: String, dueAt: Int64, scheduledAt: Int64)] = []
        try collection.find(
            leases.pending([
                "due_at": ["$gt": .date(milliseconds: 0)], "scheduled_at": ["$gt": .date(milliseconds: ahead)],
            ]), limit: MongoLeases.movedMax, deadline: deadline
        ) {
            found.append(($0.string("_id"), $0.date("due_at"), $0.date("scheduled_at")))
            return true
        }
        for item in found {
            let dueAt = now + (item.dueAt - item.scheduledAt)
            try collection.update(
                ["_id": .string(item.id), "scheduled_at": .date(milliseconds: item.scheduledAt)],
                ["$set": ["due_at": .date(milliseconds: dueAt), "scheduled_at": .date(milliseconds: now)]],
                deadline: deadline)
        }
    }
}
