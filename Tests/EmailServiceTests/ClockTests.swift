import Idempotency
import MongoStorage
import RPC
import SQLiteStorage
import TestSupport
import Testing

@testable import EmailService

/// The service restarts, and its clock shows an earlier time than before.
@Suite("A clock that is set back", .timeLimit(.minutes(10)))
struct ClockTests {
    private static let hour: Int64 = 3_600_000

    private func withEmails(at address: String, _ body: (any EmailRepository) async throws -> Void) async throws {
        let emails = try EmailStore(address: address, threads: 2, logger: silent)
        try emails.store.start()
        let result = await Result(catching: {
            try await eventually("the store") { emails.store.isReady }
            try await body(emails.repository)
        })
        await emails.store.shutdown()
        try result.get()
    }

    /// Moves stored times into the future, as if the clock was set back by an hour.
    private func stepClockBack(_ kind: StoreKind, _ address: String) async throws {
        switch kind {
        case .sqlite:
            let store = try SQLiteStore(
                path: String(address.dropFirst("sqlite:".count)), name: "emails",
                migrations: SQLiteEmailRepository.migrations, logger: silent)
            try store.start()
            try await store.write(deadline: soon) {
                try $0.execute(
                    "UPDATE emails SET due_at = due_at + \(Self.hour), scheduled_at = scheduled_at + \(Self.hour)")
            }
            await store.shutdown()
        case .mongo:
            let store = try MongoStore(
                try MongoAddress(address), name: "emails", threads: 1, logger: silent, prepare: { _ in })
            try store.start()
            try await store.run(deadline: soon) { connection in
                let emails = connection.collection(MongoEmailRepository.emails)
                var found: [(id: String, dueAt: Int64, scheduledAt: Int64)] = []
                try emails.find([:], limit: 100, deadline: soon) {
                    found.append(($0.string("_id"), $0.date("due_at"), $0.date("scheduled_at")))
                    return true
                }
                for mail in found {
                    try emails.update(
                        ["_id": .string(mail.id)],
                        [
                            "$set": [
                                "due_at": .date(milliseconds: mail.dueAt + Self.hour),
                                "scheduled_at": .date(milliseconds: mail.scheduledAt + Self.hour),
                            ]
                        ], deadline: soon)
                }
            }
            await store.shutdown()
        }
    }

    @Test("a waiting mail is due after the same delay, and a lease keeps its length", arguments: StoreKind.allCases)
    func mails(kind: StoreKind) async throws {
        let folder = try TemporaryFolder()
        let address =
            kind == .sqlite ? "sqlite:\(folder.file("emails.sqlite"))" : try await MongoServer.shared.value.uri()
        try await withEmails(at: address) { emails in
            _ = try await emails.store(newMail("leased"), deadline: soon)
            _ = try await emails.take(lease: .seconds(600))
            _ = try await emails.store(newMail("retried"), deadline: soon)
            let claimed = try #require(try await emails.take(lease: .seconds(600)))
            #expect(claimed.item.eventID == "retried")
            #expect(try await emails.retry(claimed.lease, after: .seconds(2), error: "no", deadline: soon))
            _ = try await emails.store(newMail("fresh"), deadline: soon)
        }
        try await stepClockBack(kind, address)
        try await withEmails(at: address) { emails in
            var seen: [String] = []
            try await eventually("two mails") {
                if let mail = try await emails.take(lease: .seconds(600)) { seen.append(mail.item.eventID) }
                return seen.count >= 2
            }
            #expect(seen == ["fresh", "retried"])
            #expect(try await emails.take(lease: .seconds(600)) == nil)
        }
    }
}
