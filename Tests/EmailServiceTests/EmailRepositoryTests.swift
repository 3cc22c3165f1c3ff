import LeasedQueue
import RPC
import SQLiteStorage
import TestSupport
import Testing
import Traces

@testable import EmailService

@Suite("Stored mails", .timeLimit(.minutes(10)))
struct EmailRepositoryTests {
    @Test("a mail comes back as it was stored, and a repeat changes nothing", arguments: StoreKind.allCases)
    func stores(kind: StoreKind) async throws {
        try await withEmails(kind) { emails in
            var mail = newMail("a'b\"$", name: "Jörg 🚢")
            mail.trace = TraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            #expect(mail.trace != nil)
            let first = try await emails.repository.store(mail, deadline: soon)
            #expect(first.isNew)
            #expect(first.mail.content == mail && first.mail.status == .pending && first.mail.attempts == 0)
            let second = try await emails.repository.store(newMail("a'b\"$", name: "Other"), deadline: soon)
            #expect(!second.isNew)
            #expect(second.mail == first.mail)
            #expect(try await emails.repository.mail(eventID: mail.eventID, deadline: soon) == first.mail)
            #expect(try await emails.repository.mail(eventID: "none", deadline: soon) == nil)
        }
    }

    @Test("a mail that was stored before traces were is claimed, and has none")
    func beforeTraces() async throws {
        let folder = try TemporaryFolder()
        let old = try SQLiteStore(
            path: folder.file("emails.sqlite"), name: "emails",
            migrations: Array(SQLiteEmailRepository.migrations.prefix(1)), logger: silent)
        try old.start()
        try await old.write(deadline: soon) {
            try $0.execute(
                "INSERT INTO emails VALUES ('old', 'u', 'a@example.com', 'A', '', 'S', 0, 0, '', '', 1, 1, NULL)")
        }
        await old.shutdown()
        let emails = try EmailStore(address: "sqlite:" + folder.file("emails.sqlite"), logger: silent)
        try emails.store.start()
        let mail = try await emails.repository.take()
        #expect(mail?.item.eventID == "old" && mail?.item.content.trace == nil)
        await emails.store.shutdown()
    }

    @Test("of many at the same time, one stores", arguments: StoreKind.allCases)
    func storeRace(kind: StoreKind) async throws {
        try await withEmails(kind) { emails in
            let new = try await withThrowingTaskGroup(of: Bool.self) { tasks in
                for _ in 0..<12 {
                    tasks.addTask { try await emails.repository.store(newMail("same"), deadline: soon).isNew }
                }
                return try await tasks.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(new == 1)
        }
    }

    @Test("mails are claimed in the order in which they are due, each by one", arguments: StoreKind.allCases)
    func claimRace(kind: StoreKind) async throws {
        try await withEmails(kind) { emails in
            for number in 0..<20 { _ = try await emails.repository.store(newMail("\(number)"), deadline: soon) }
            let claimed = try await withThrowingTaskGroup(of: [LeasedItem<StoredMail>].self) { tasks in
                for _ in 0..<4 {
                    tasks.addTask {
                        var mine: [LeasedItem<StoredMail>] = []
                        while let mail = try await emails.repository.take() {
                            mine.append(mail)
                        }
                        return mine
                    }
                }
                return try await tasks.reduce(into: []) { $0 += $1 }
            }
            #expect(claimed.count == 20)
            #expect(Set(claimed.map(\.item.eventID)).count == 20)
            #expect(Set(claimed.map(\.lease.token)).count == 20)
            #expect(claimed.allSatisfy { $0.item.attempts == 1 && $0.attempts == 0 && $0.item.status == .pending })
        }
    }

    @Test(
        "a claim that nobody speaks for is due again after its lease, and then worthless", arguments: StoreKind.allCases
    )
    func leaseEnds(kind: StoreKind) async throws {
        try await withEmails(kind) { emails in
            let repository = emails.repository
            _ = try await repository.store(newMail("m"), deadline: soon)
            let dead = try #require(try await repository.take(lease: .milliseconds(300)))
            #expect(try await repository.take() == nil)
            var second: LeasedItem<StoredMail>?
            try await eventually("the end of the lease") {
                second = try await repository.take()
                return second != nil
            }
            #expect(second?.item.attempts == 2 && second?.attempts == 1)
            #expect(try await !repository.retry(dead.lease, after: .zero, error: "late", deadline: soon))
            #expect(try await !repository.deadLetter(dead.lease, error: "late", deadline: soon))
            let mail = try #require(try await repository.mail(eventID: "m", deadline: soon))
            #expect(mail.status == .pending && mail.lastError.isEmpty)
        }
    }

    @Test("a mail that is sent stays sent, whoever has claimed it meanwhile", arguments: StoreKind.allCases)
    func sentIsFinal(kind: StoreKind) async throws {
        try await withEmails(kind) { emails in
            let repository = emails.repository
            _ = try await repository.store(newMail("m"), deadline: soon)
            let claimed = try #require(try await repository.take())
            try await repository.finish([Lease(itemID: "m", token: "")], deadline: soon)
            #expect(try await !repository.retry(claimed.lease, after: .zero, error: "x", deadline: soon))
            #expect(try await !repository.deadLetter(claimed.lease, error: "x", deadline: soon))
            #expect(try await repository.take() == nil)
            #expect(try await repository.mail(eventID: "m", deadline: soon)?.status == .sent)
            #expect(try await repository.store(newMail("m"), deadline: soon).mail.status == .sent)
        }
    }

    @Test("a mail that is released is due after its delay, with its error", arguments: StoreKind.allCases)
    func retries(kind: StoreKind) async throws {
        try await withEmails(kind) { emails in
            let repository = emails.repository
            _ = try await repository.store(newMail("m"), deadline: soon)
            let first = try #require(try await repository.take())
            #expect(try await repository.retry(first.lease, after: .seconds(60), error: "later", deadline: soon))
            #expect(try await repository.take() == nil)
            #expect(try await repository.mail(eventID: "m", deadline: soon)?.lastError == "later")
            // What it gave back is no longer its own.
            #expect(try await !repository.retry(first.lease, after: .zero, error: "x", deadline: soon))
        }
    }

    @Test("a mail that failed is never due again", arguments: StoreKind.allCases)
    func failures(kind: StoreKind) async throws {
        try await withEmails(kind) { emails in
            let repository = emails.repository
            _ = try await repository.store(newMail("m"), deadline: soon)
            let claimed = try #require(try await repository.take(lease: .zero))
            #expect(try await repository.deadLetter(claimed.lease, error: "550 no", deadline: soon))
            #expect(try await repository.take() == nil)
            let mail = try #require(try await repository.mail(eventID: "m", deadline: soon))
            #expect(mail.status == .failed && mail.lastError == "550 no" && mail.attempts == 1)
        }
    }

    @Test("what waits is counted, and how long", arguments: StoreKind.allCases)
    func statistics(kind: StoreKind) async throws {
        try await withEmails(kind) { emails in
            let repository = emails.repository
            #expect(
                try await repository.statistics(deadline: soon)
                    == LeasedQueueStatistics())
            for id in ["a", "b", "c"] { _ = try await repository.store(newMail(id), deadline: soon) }
            try await repository.finish([Lease(itemID: "b", token: "")], deadline: soon)
            try await eventually("an age") {
                try await repository.statistics(deadline: soon).oldestPendingSeconds > 0
            }
            let statistics = try await repository.statistics(deadline: soon)
            #expect(statistics.pending == 2)
            #expect(statistics.oldestPendingSeconds < 60)
        }
    }
}
