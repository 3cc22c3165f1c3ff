import Idempotency
import LeasedQueue
import MongoStorage
import RPC
import Storage
import Traces

/// Mails in MongoDB: the collection `emails`, whose `_id` is the event id.
struct MongoEmailRepository: EmailRepository {
    static let emails = "emails"
    private static let pending: BSONValue = .int32(StoredMail.Status.pending.rawValue)

    let store: MongoStore
    /// Rate limit of the search for mails that were scheduled in the future.
    let steps = Pace(every: ClockStep.interval)

    /// Makes the indexes; run on each new connection until it succeeded.
    static func prepare(_ connection: MongoConnection) throws {
        // Pending mails stand together at one end of each, so that a claim costs the same beside a million sent ones.
        try connection.ensureIndex(emails, name: "status_1_due_at_1", keys: ["status": 1, "due_at": 1])
        try connection.ensureIndex(emails, name: "status_1_created_at_1", keys: ["status": 1, "created_at": 1])
        try connection.ensureIndex(emails, name: "status_1_scheduled_at_1", keys: ["status": 1, "scheduled_at": 1])
    }

    func store(_ mail: NewMail, deadline: Deadline) async throws -> (mail: StoredMail, isNew: Bool) {
        try await store.run(deadline: deadline) { connection in
            let emails = connection.collection(Self.emails)
            let now = WallTime.now
            do throws(StorageError) {
                try emails.insert(
                    [
                        "_id": .string(mail.eventID), "user_id": .string(mail.userID), "to": .string(mail.recipient),
                        "name": .string(mail.name), "company": .string(mail.company),
                        "subject": .string(mail.subject), "status": Self.pending, "attempts": 0, "last_error": "",
                        "claim": "", "due_at": .date(milliseconds: now.milliseconds),
                        "scheduled_at": .date(milliseconds: now.milliseconds),
                        "created_at": .date(milliseconds: now.milliseconds),
                        "traceparent": .string(mail.trace?.text ?? ""),
                    ], deadline: deadline)
            } catch {
                guard error.kind == .duplicateKey else { throw error }
                let found = try emails.first(["_id": .string(mail.eventID)], deadline: deadline, Self.item)
                guard let found else { throw StorageError(.busy, "a stored mail was not found") }
                return (found, false)
            }
            let stored = StoredMail(content: mail, status: .pending, attempts: 0, lastError: "", createdAt: now)
            return (stored, true)
        }
    }

    func mail(eventID: String, deadline: Deadline) async throws -> StoredMail? {
        try await store.run(deadline: deadline) {
            try $0.collection(Self.emails).first(["_id": .string(eventID)], deadline: deadline, Self.item)
        }
    }

    static func item(_ document: BSONView) -> StoredMail {
        StoredMail(
            content: NewMail(
                eventID: document.string("_id"), userID: document.string("user_id"),
                recipient: document.string("to"), name: document.string("name"),
                company: document.string("company"), subject: document.string("subject"),
                trace: TraceParent(document.string("traceparent"))),
            // What a newer program wrote is at least not sent again by this one.
            status: StoredMail.Status(rawValue: document.int32("status")) ?? .failed,
            attempts: Int(document.int64("attempts")), lastError: document.string("last_error"),
            createdAt: WallTime(milliseconds: document.date("created_at")))
    }
}

// MARK: - What is to be sent

extension MongoEmailRepository: MongoLeasedQueue {
    static let leases = MongoLeases(collection: emails, pending: ["status": pending])

    func finish(_ leases: [Lease], deadline: Deadline) async throws {
        try await store.run(deadline: deadline) { connection in
            for lease in leases {
                try connection.collection(Self.emails).update(
                    ["_id": .string(lease.itemID)],
                    [
                        "$set": [
                            "status": .int32(StoredMail.Status.sent.rawValue), "last_error": "",
                            "sent_at": .date(milliseconds: WallTime.now.milliseconds),
                        ]
                    ], deadline: deadline)
            }
        }
    }

    func deadLetter(_ lease: Lease, error: String, deadline: Deadline) async throws -> Bool {
        try await update(
            lease, ["status": .int32(StoredMail.Status.failed.rawValue), "last_error": .string(error)], deadline)
    }

    func statistics(deadline: Deadline) async throws -> LeasedQueueStatistics {
        try await store.run(deadline: deadline) { connection in
            let emails = connection.collection(Self.emails)
            let oldest = try emails.first(
                ["status": Self.pending], sort: ["status": 1, "created_at": 1], deadline: deadline
            ) { $0.date("created_at") }
            guard let oldest else { return LeasedQueueStatistics() }
            let count = try emails.count(
                ["status": Self.pending], limit: Int64(LeasedQueueStatistics.countMax), deadline: deadline)
            return LeasedQueueStatistics(pending: count, since: oldest * 1_000)
        }
    }
}
