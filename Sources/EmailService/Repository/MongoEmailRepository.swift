import Idempotency
import MongoStorage
import RPC
import Storage
import Traces

/// Mails in MongoDB: the collection `emails`, whose `_id` is the event id.
struct MongoEmailRepository: EmailRepository {
    static let emails = "emails"
    private static let pending: BSONValue = .int32(StoredMail.Status.pending.rawValue)

    /// Mails that one claim moves at most; later claims move the rest.
    private static let movedMax: Int32 = 1_000

    let store: MongoStore
    /// Rate limit of the search for mails that were scheduled in the future.
    private let steps = Pace(every: ClockStep.interval)

    init(store: MongoStore) {
        self.store = store
    }

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
                let found = try emails.first(["_id": .string(mail.eventID)], deadline: deadline, Self.mail)
                guard let found else { throw StorageError(.busy, "a stored mail was not found") }
                return (found, false)
            }
            let stored = StoredMail(content: mail, status: .pending, attempts: 0, lastError: "", createdAt: now)
            return (stored, true)
        }
    }

    func mail(eventID: String, deadline: Deadline) async throws -> StoredMail? {
        try await store.run(deadline: deadline) {
            try $0.collection(Self.emails).first(["_id": .string(eventID)], deadline: deadline, Self.mail)
        }
    }

    func claim(lease: Duration, deadline: Deadline) async throws -> ClaimedMail? {
        let movesBack = steps.isDue()
        return try await store.run(deadline: deadline) { connection in
            let now = WallTime.now
            if movesBack { try Self.moveBack(now, connection, deadline) }
            let token = Identifier.random()
            let mail = try connection.collection(Self.emails).findAndUpdate(
                ["status": Self.pending, "due_at": ["$lte": .date(milliseconds: now.milliseconds)]],
                sort: ["status": 1, "due_at": 1],
                [
                    "$set": [
                        "claim": .string(token), "due_at": .date(milliseconds: (now + lease).milliseconds),
                        "scheduled_at": .date(milliseconds: now.milliseconds),
                    ],
                    "$inc": ["attempts": 1],
                ], deadline: deadline, Self.mail)
            return mail.map { ClaimedMail(mail: $0, claim: MailClaim(eventID: $0.eventID, token: token)) }
        }
    }

    func markSent(eventID: String, deadline: Deadline) async throws {
        try await update(
            ["_id": .string(eventID)],
            [
                "status": .int32(StoredMail.Status.sent.rawValue), "last_error": "",
                "sent_at": .date(milliseconds: WallTime.now.milliseconds),
            ], deadline)
    }

    func markFailed(_ claim: MailClaim, error: String, deadline: Deadline) async throws -> Bool {
        try await update(
            Self.filter(claim),
            ["status": .int32(StoredMail.Status.failed.rawValue), "last_error": .string(error)], deadline)
    }

    func retry(_ claim: MailClaim, after delay: Duration, error: String, deadline: Deadline) async throws -> Bool {
        let now = WallTime.now
        return try await update(
            Self.filter(claim),
            [
                "claim": "", "due_at": .date(milliseconds: (now + delay).milliseconds),
                "scheduled_at": .date(milliseconds: now.milliseconds), "last_error": .string(error),
            ], deadline)
    }

    func statistics(deadline: Deadline) async throws -> MailStatistics {
        try await store.run(deadline: deadline) { connection in
            let emails = connection.collection(Self.emails)
            let oldest = try emails.first(
                ["status": Self.pending], sort: ["status": 1, "created_at": 1], deadline: deadline
            ) { WallTime(milliseconds: $0.date("created_at")) }
            guard let oldest else { return MailStatistics(pending: 0, oldestPendingSeconds: 0) }
            let count = try emails.count(
                ["status": Self.pending], limit: Int64(MailStatistics.countMax), deadline: deadline)
            return MailStatistics(pending: count, oldestPendingSeconds: max(0, (WallTime.now - oldest) / .seconds(1)))
        }
    }
}

extension MongoEmailRepository {
    /// Only as long as nobody else has claimed it, and nobody has said that it is sent.
    private static func filter(_ claim: MailClaim) -> BSONFields {
        ["_id": .string(claim.eventID), "claim": .string(claim.token), "status": pending]
    }

    @discardableResult
    private func update(_ filter: BSONFields, _ fields: BSONFields, _ deadline: Deadline) async throws -> Bool {
        try await store.run(deadline: deadline) {
            try $0.collection(Self.emails).update(filter, ["$set": .document(fields.fields)], deadline: deadline)
        }
    }

    /// Moves mails that were scheduled in the future; see ``ClockStep``. Each is moved once, whatever other replicas
    /// do.
    private static func moveBack(
        _ now: WallTime, _ connection: MongoConnection, _ deadline: Deadline
    ) throws(StorageError) {
        let emails = connection.collection(Self.emails)
        let ahead = now + .seconds(ClockStep.secondsMin)
        var found: [(id: String, dueAt: Int64, scheduledAt: Int64)] = []
        try emails.find(
            ["status": pending, "scheduled_at": ["$gt": .date(milliseconds: ahead.milliseconds)]], limit: movedMax,
            deadline: deadline
        ) {
            found.append(($0.string("_id"), $0.date("due_at"), $0.date("scheduled_at")))
            return true
        }
        for mail in found {
            let dueAt = now.milliseconds + (mail.dueAt - mail.scheduledAt)
            try emails.update(
                ["_id": .string(mail.id), "scheduled_at": .date(milliseconds: mail.scheduledAt)],
                [
                    "$set": [
                        "due_at": .date(milliseconds: dueAt), "scheduled_at": .date(milliseconds: now.milliseconds),
                    ]
                ], deadline: deadline)
        }
    }

    private static func mail(_ document: BSONView) -> StoredMail {
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
