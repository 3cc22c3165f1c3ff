import Idempotency
import PostgresStorage
import RPC
import SQLiteStorage
import Storage
import TestSupport
import Testing

@testable import UserService

@Suite(.timeLimit(.minutes(10))) struct UserRepositoryTests {
    @Test("a user comes back as stored, by id and by address in any case", arguments: UserStoreKind.allCases)
    func roundTrip(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            let stored = StoredUser(
                id: Identifier.random(), name: "Åda \"Countess\" 🚢 '; DROP TABLE users; --", company: "",
                email: "Ada.Lovelace+Math@Example.com", passwordHash: "$2a$10$abc",
                createdAtMicroseconds: 1_763_733_600_123_456)
            let created = try await users.repository.add(stored)
            #expect(created.user == stored && !created.isRepeat)
            #expect(try await users.repository.find(stored.id) == stored)
            for spelling in [
                "Ada.Lovelace+Math@Example.com", "ada.lovelace+math@example.com", "ADA.LOVELACE+MATH@EXAMPLE.COM",
            ] {
                #expect(try await users.repository.find(email: spelling) == stored)
            }
            #expect(try await users.repository.find("nobody") == nil)
            #expect(try await users.repository.find(email: "ada.lovelace@example.com") == nil)
            #expect(try await users.repository.find(email: "") == nil)
        }
    }

    @Test(
        "an address is taken whatever its case, beyond ASCII too, and the first user stays",
        arguments: UserStoreKind.allCases)
    func emailTaken(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            let twins = [
                ("Ann@Example.com", "ann@EXAMPLE.COM"), ("ÄÖ@straße.de", "äö@STRAßE.DE"), ("ΣΑΣ@x.gr", "σασ@X.GR"),
                ("i@x.com", "I@X.com"), ("ЖУК@x.ru", "жук@x.ru"),
            ]
            for (first, second) in twins {
                let user = Sample.user(email: first)
                try await users.repository.add(user)
                for twin in [first, second] {
                    await #expect(throws: UserError.emailTaken) {
                        try await users.repository.add(Sample.user(email: twin))
                    }
                    #expect(try await users.repository.find(email: twin) == user)
                }
            }
            // Looks like one of above and is another address.
            try await users.repository.add(Sample.user(email: "\u{131}@x.com"))
            let counts = try await users.outbox.counts
            #expect(counts.pending == twins.count + 1)
        }
    }

    @Test("a taken id is an error, and neither user nor event is stored", arguments: UserStoreKind.allCases)
    func idTaken(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            try await users.repository.add(Sample.user("same", email: "first@example.com"))
            let error = await #expect(throws: StorageError.self) {
                try await users.repository.add(Sample.user("same", email: "second@example.com"))
            }
            #expect(error?.kind == .duplicateKey)
            #expect(error?.message.contains("second@") == false)
            let other = Sample.user("other")
            await #expect(throws: StorageError.self) {
                let event = try await users.outbox.take()[0].item
                _ = try await users.repository.create(
                    other, event: Sample.event(other, event.id), claim: nil, deadline: Sample.soon)
            }
            #expect(try await users.repository.find("other") == nil)
            #expect(try await users.outbox.counts.pending == 1)
        }
    }

    @Test("of many sign-ups with one address, one is stored with its event", arguments: UserStoreKind.allCases)
    func emailRace(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            let outcomes = await withTaskGroup(of: Status.Code.self) { tasks in
                for number in 0..<16 {
                    let email = number.isMultiple(of: 2) ? "race@example.com" : "RACE@example.com"
                    tasks.addTask {
                        do {
                            try await users.repository.add(Sample.user(email: email))
                            return .ok
                        } catch { return Status(error).code }
                    }
                }
                return await tasks.reduce(into: [Status.Code: Int]()) { $0[$1, default: 0] += 1 }
            }
            let pending = try await users.outbox.counts.pending
            #expect(outcomes == [.ok: 1, .alreadyExists: 15] && pending == 1)
        }
    }

    @Test(
        "a zero byte, which PostgreSQL can't store, crashes nothing and hits nobody else",
        arguments: UserStoreKind.allCases)
    func zeroBytes(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            _ = try? await users.repository.add(Sample.user(email: "a\0b@example.com"))
            _ = try? await users.repository.find("a\0b")
            _ = try? await users.repository.find(email: "a\0b")
            let user = Sample.user(email: "a@example.com")
            try await users.repository.add(user)
            #expect(try await users.repository.find(email: "a@example.com") == user)
        }
    }

    @Test("pages come in the order of creation, then id, and leave nobody out", arguments: UserStoreKind.allCases)
    func pages(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            // Capitals before small letters, as bytes are, whatever the database's language.
            let wanted = ["z", "Z1", "a", "a1", "b", "ä", "last"]
            let times: [Int64] = [-5, 7, 7, 7, 7, 7, 4_000_000_000_000_000]
            for index in wanted.indices.shuffled() {
                try await users.repository.add(
                    Sample.user(wanted[index], email: "\(index)@example.com", at: times[index]))
            }
            for limit in [1, 2, 3, 7, 100] {
                #expect(try await users.repository.ids(pages: limit) == wanted, "\(limit)")
            }
        }
    }

    @Test("what one process stored another finds", arguments: UserStoreKind.allCases)
    func reopening(kind: UserStoreKind) async throws {
        let database = try await EmptyDatabase(kind)
        defer { withExtendedLifetime(database) {} }
        let user = Sample.user(email: "kept@example.com")
        try await withUsers(at: database.address) { _ = try await $0.repository.add(user, claim: Sample.claim("k")) }
        try await withUsers(at: database.address) { users in
            #expect(try await users.repository.find(email: "Kept@example.com") == user)
            let again = try await users.repository.add(Sample.user(), claim: Sample.claim("k"))
            #expect(again.user == user && again.isRepeat)
            let events = try await users.outbox.take()
            #expect(events.map(\.item.userID) == [user.id])
        }
    }
}

@Suite(.timeLimit(.minutes(10))) struct UserIdempotencyTests {
    @Test("a repeat answers the first call's user and stores nothing", arguments: UserStoreKind.allCases)
    func repeats(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            let claim = Sample.claim("k")
            #expect(try await users.repository.answer(to: claim, deadline: Sample.soon) == nil)
            let user = Sample.user(email: "a@example.com")
            let first = try await users.repository.add(user, claim: claim)
            #expect(!first.isRepeat)
            #expect(try await users.repository.answer(to: claim, deadline: Sample.soon) == user)
            let second = try await users.repository.add(Sample.user(email: "a@example.com"), claim: claim)
            #expect(second.user == user && second.isRepeat)
            #expect(try await users.outbox.counts.pending == 1)
            let other = try await users.repository.add(
                Sample.user(email: "b@example.com"), claim: Sample.claim("other"))
            #expect(!other.isRepeat)
        }
    }

    @Test("the same key with another request is ABORTED", arguments: UserStoreKind.allCases)
    func otherRequest(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            try await users.repository.add(Sample.user(email: "a@example.com"), claim: Sample.claim("k"))
            let other = Sample.claim("k", request: "other")
            let asked = await #expect(throws: Status.self) {
                _ = try await users.repository.answer(to: other, deadline: Sample.soon)
            }
            let stored = await #expect(throws: Status.self) {
                try await users.repository.add(Sample.user(email: "b@example.com"), claim: other)
            }
            #expect(asked?.code == .aborted && stored?.code == .aborted)
            #expect(try await users.repository.find(email: "b@example.com") == nil)
        }
    }

    @Test(
        "of many calls with one key at the same time, one stores and all answer its user",
        arguments: UserStoreKind.allCases)
    func race(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            for round in 0..<5 {
                let answers = try await withThrowingTaskGroup(of: CreatedUser.self) { tasks in
                    for _ in 0..<12 {
                        tasks.addTask {
                            try await users.repository.add(
                                Sample.user(email: "race\(round)@example.com"), claim: Sample.claim("race\(round)"))
                        }
                    }
                    return try await tasks.reduce(into: [CreatedUser]()) { $0.append($1) }
                }
                #expect(Set(answers.map(\.user.id)).count == 1)
                #expect(answers.count { !$0.isRepeat } == 1)
            }
            #expect(try await users.outbox.counts.pending == 5)
        }
    }

    @Test(
        "an address that is taken is refused with a key too, and the key is free again",
        arguments: UserStoreKind.allCases)
    func emailTaken(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            try await users.repository.add(Sample.user(email: "taken@example.com"))
            for _ in 0..<2 {
                await #expect(throws: UserError.emailTaken) {
                    try await users.repository.add(Sample.user(email: "taken@example.com"), claim: Sample.claim("k"))
                }
            }
            let free = try await users.repository.add(Sample.user(email: "free@example.com"), claim: Sample.claim("k"))
            #expect(!free.isRepeat)
        }
    }

    @Test(
        "keys are forgotten after a day, a few with each call, and can then be used again",
        arguments: UserStoreKind.allCases)
    func expiry(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            for number in 0..<12 {
                try await users.repository.add(Sample.user(), claim: Sample.claim("old\(number)"))
            }
            try await Self.age(hours: 24, users)
            let kept = try await users.repository.add(Sample.user(), claim: Sample.claim("old11"))
            #expect(kept.isRepeat)
            try await Self.age(hours: 2, users)
            let found = try await users.repository.answer(to: Sample.claim("old11"), deadline: Sample.soon)
            #expect(found == nil)
            let again = try await users.repository.add(Sample.user(), claim: Sample.claim("old11", request: "new"))
            #expect(!again.isRepeat)
            // Eight went, and the one that is used again may have been among them.
            let left = try await Self.keyCount(users)
            #expect(left == 4 || left == 5)
        }
    }

    private static let age = PostgresQuery(
        "UPDATE idempotency_keys SET created_at = created_at - $1 * interval '1 hour'")
    private static let postgresCount = PostgresQuery("SELECT count(*) FROM idempotency_keys")
    private static let sqliteCount = SQLiteQuery("SELECT count(*) FROM idempotency_keys")

    private static func age(hours: Int64, _ users: UserDatabase) async throws {
        if let store = users.store as? PostgresStore {
            try await store.run(deadline: Sample.soon) { try $0.run(age, .integer(hours)) }
        } else if let store = users.store as? SQLiteStore {
            try await store.write(deadline: Sample.soon) { connection in
                try connection.execute("UPDATE idempotency_keys SET created_at = created_at - \(hours) * 3600")
            }
        }
    }

    private static func keyCount(_ users: UserDatabase) async throws -> Int64? {
        if let store = users.store as? PostgresStore {
            return try await store.run(deadline: Sample.soon) { connection in
                try connection.first(postgresCount) { row throws(StorageError) in try row.int64(0) }
            }
        }
        let store = try #require(users.store as? SQLiteStore)
        return try await store.read(deadline: Sample.soon) { try $0.statement(sqliteCount).first { $0.int64(0) } }
    }
}
