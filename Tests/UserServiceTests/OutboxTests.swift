import Idempotency
import LeasedQueue
import Logging
import PostgresStorage
import RPC
import SQLiteStorage
import Storage
import TestSupport
import Testing
import Traces

@testable import UserService

@Suite(.timeLimit(.minutes(10))) struct OutboxTests {
    /// Users signed up one after the other, and their events' ids in that order.
    private func signUp(_ count: Int, _ users: UserDatabase) async throws -> [String] {
        var ids: [String] = []
        for _ in 0..<count {
            let user = Sample.user()
            let event = Sample.event(user)
            _ = try await users.repository.create(user, event: event, claim: nil, deadline: Sample.soon)
            ids.append(event.id)
        }
        return ids
    }

    @Test("events come as stored, oldest first, and to one claimer only", arguments: UserStoreKind.allCases)
    func claims(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            var user = Sample.user(email: "Ada@example.com", name: "Åda '; --", at: 1_763_733_600_123_456)
            user.company = ""
            var event = Sample.event(user)
            event.trace = TraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            #expect(event.trace != nil)
            _ = try await users.repository.create(user, event: event, claim: nil, deadline: Sample.soon)
            let ids = [event.id] + (try await signUp(5, users))
            let first = try await users.outbox.take(4)
            #expect(first.map(\.item.id) == Array(ids[..<4]))
            #expect(first[0].item == event)
            #expect(first.allSatisfy { $0.attempts == 0 && $0.lease.itemID == $0.item.id })
            let second = try await users.outbox.take(4)
            #expect(second.map(\.item.id) == Array(ids[4...]))
            #expect(try await users.outbox.take().isEmpty)
        }
    }

    /// Makes the database that the first version of the program left behind, with one event in it.
    private func makeOldDatabase(_ address: String, _ event: String) async throws {
        let logger = Logger(label: "test")
        let old: any Store
        if address.hasPrefix("sqlite:") {
            let store = try SQLiteStore(
                path: String(address.dropFirst("sqlite:".count)), name: "users",
                migrations: Array(SQLiteUserRepository.migrations.prefix(1)), logger: logger)
            try store.start()
            try await store.write(deadline: Sample.soon) { try $0.execute(event) }
            old = store
        } else {
            let store = PostgresStore(
                try PostgresAddress(variable: { $0 == "DB_HOST" ? address : nil }), name: "users",
                migrations: Array(PostgresUserSchema.migrations.prefix(2)), logger: logger)
            try store.start()
            try await store.run(deadline: Sample.soon) { try $0.script(event) }
            old = store
        }
        await old.shutdown()
    }

    @Test("an event that was stored before traces were is claimed, and has none", arguments: UserStoreKind.allCases)
    func beforeTraces(kind: UserStoreKind) async throws {
        let database = try await EmptyDatabase(kind)
        let (time, due) = kind == .sqlite ? ("1", ", due_at") : ("now()", "")
        try await makeOldDatabase(
            database.address,
            """
            INSERT INTO outbox (id, user_id, name, email, company, occurred_at\(due))
            VALUES ('old', 'user', 'Ada', 'ada@example.com', '', \(time)\(kind == .sqlite ? ", 1" : ""))
            """)
        try await withUsers(at: database.address) { users in
            let claimed = try await users.outbox.take()
            #expect(claimed.map(\.item.id) == ["old"] && claimed.first?.item.trace == nil)
        }
        withExtendedLifetime(database) {}
    }

    @Test("delivered events are gone for good", arguments: UserStoreKind.allCases)
    func delivered(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            _ = try await signUp(3, users)
            let claimed = try await users.outbox.take(lease: .zero)
            try await users.outbox.finish(claimed.map(\.lease), deadline: Sample.soon)
            try await users.outbox.finish([], deadline: Sample.soon)
            #expect(try await users.outbox.take().isEmpty)
            #expect(try await users.outbox.counts == LeasedQueueStatistics())
        }
    }

    @Test(
        "a lease that ended gives the event to another, and the first claim is worthless",
        arguments: UserStoreKind.allCases)
    func leases(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            _ = try await signUp(1, users)
            let late = try await users.outbox.take(lease: .milliseconds(1))[0]
            var next: [LeasedItem<UserCreatedEvent>] = []
            try await eventually("the lease's end") {
                next = try await users.outbox.take()
                return !next.isEmpty
            }
            #expect(next[0].item == late.item)
            #expect(next[0].lease.token != late.lease.token)
            // A relay that died over an event has tried it.
            #expect(next[0].attempts == 1)
            try await users.outbox.finish([late.lease], deadline: Sample.soon)
            #expect(try await !users.outbox.retry(late.lease, after: .zero, error: "late", deadline: Sample.soon))
            #expect(try await !users.outbox.deadLetter(late.lease, error: "late", deadline: Sample.soon))
            let counts = try await users.outbox.counts
            #expect(counts.pending == 1 && counts.deadLetters == 0)
            #expect(try await users.outbox.take().isEmpty)
            try await users.outbox.finish([next[0].lease], deadline: Sample.soon)
            #expect(try await users.outbox.counts.pending == 0)
        }
    }

    @Test(
        "an event that is released is due after the delay, and tries are counted", arguments: UserStoreKind.allCases)
    func retries(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            let ids = try await signUp(2, users)
            let claimed = try await users.outbox.take(1)[0]
            let error = String(repeating: "é\0", count: 2_000)
            #expect(
                try await users.outbox.retry(
                    claimed.lease, after: .seconds(3_600), error: error, deadline: Sample.soon))
            // The other one is not held up.
            #expect(try await users.outbox.take().map(\.item.id) == [ids[1]])
            #expect(
                try await !users.outbox.retry(claimed.lease, after: .zero, error: "twice", deadline: Sample.soon))
            #expect(try await users.outbox.take().isEmpty)
            let third = try await signUp(1, users)[0]
            for attempt in 0..<4 {
                let again = try await users.outbox.take()
                #expect(again.map(\.item.id) == [third] && again.map(\.attempts) == [attempt])
                try await users.outbox.retry(again[0].lease, after: .zero, error: "no", deadline: Sample.soon)
            }
        }
    }

    @Test(
        "dead-lettered events wait to be requeued, and then have all their tries",
        arguments: UserStoreKind.allCases)
    func deadLetters(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            let ids = try await signUp(3, users)
            for claimed in try await users.outbox.take(2, lease: .zero) {
                #expect(try await users.outbox.deadLetter(claimed.lease, error: "refused", deadline: Sample.soon))
            }
            let counts = try await users.outbox.counts
            #expect(counts.pending == 1 && counts.deadLetters == 2)
            #expect(try await users.outbox.take(lease: .zero).map(\.item.id) == [ids[2]])
            #expect(try await users.outbox.requeueDeadLetters(deadline: Sample.soon) == 2)
            #expect(try await users.outbox.requeueDeadLetters(deadline: Sample.soon) == 0)
            var again: [LeasedItem<UserCreatedEvent>] = []
            try await eventually("all") {
                again = try await users.outbox.take(lease: .zero)
                return again.count == 3
            }
            #expect(again.filter { $0.item.id != ids[2] }.map(\.attempts) == [0, 0])
            #expect(try await users.outbox.counts.deadLetters == 0)
        }
    }

    @Test("statistics tell how old the oldest is", arguments: UserStoreKind.allCases)
    func statistics(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            let user = Sample.user(at: WallClock.microseconds - 90_000_000)
            try await users.repository.add(user)
            try await users.repository.add(Sample.user(at: WallClock.microseconds))
            let counts = try await users.outbox.counts
            #expect(counts.pending == 2)
            #expect(counts.oldestPendingSeconds > 89 && counts.oldestPendingSeconds < 150)
        }
    }

    @Test("relays that claim at the same time, each with a store of its own, never get the same event")
    func relays() async throws {
        let address = try await EmptyDatabase(.postgres).address
        try await withUsers(at: address) { first in
            try await withUsers(at: address) { second in
                let total = 200
                let ids = try await signUp(total, first)
                let claimed = try await withThrowingTaskGroup(of: [String].self) { tasks in
                    for number in 0..<8 {
                        let outbox = (number.isMultiple(of: 2) ? first : second).outbox
                        tasks.addTask {
                            var mine: [String] = []
                            while true {
                                let batch = try await outbox.take(7)
                                guard !batch.isEmpty else { return mine }
                                mine += batch.map(\.item.id)
                                try await outbox.finish(batch.map(\.lease), deadline: Sample.soon)
                            }
                        }
                    }
                    return try await tasks.reduce(into: [String]()) { $0 += $1 }
                }
                // Those that another held at that moment are skipped, and nobody comes back for them here.
                let rest = try await first.outbox.take(total).map(\.item.id)
                #expect((claimed + rest).sorted() == ids.sorted())
            }
        }
    }

    @Test("a wait ends when an event is stored, also if that was just before it", arguments: UserStoreKind.allCases)
    func waking(kind: UserStoreKind) async throws {
        try await withUsers(kind) { users in
            let connected = await eventually { users.store.statistics.allSatisfy { $0.connected > 0 } }
            #expect(connected)
            let clock = ContinuousClock()
            let quiet = try await clock.measure { try await users.outbox.waitForWork(timeout: .milliseconds(300)) }
            #expect(quiet >= .milliseconds(290) && quiet < .seconds(5))
            _ = try await signUp(1, users)
            let early = try await clock.measure { try await users.outbox.waitForWork(timeout: .seconds(60)) }
            #expect(early < .seconds(10))
            let wait = Task { try await clock.measure { try await users.outbox.waitForWork(timeout: .seconds(60)) } }
            _ = try await signUp(1, users)
            let late = try await wait.value
            #expect(late < .seconds(10))
            let cancelled = Task { try await users.outbox.waitForWork(timeout: .seconds(60)) }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
        }
    }

    @Test("a wait hears of events that another process stored, and is a pause while the server is away")
    func wakingAcross() async throws {
        let server = try await PostgresServer()
        let address = try await server.database()
        try await withUsers(at: address) { first in
            try await withUsers(at: address) { second in
                let connected = await eventually { second.store.statistics.allSatisfy { $0.connected > 0 } }
                #expect(connected)
                let clock = ContinuousClock()
                let wait = Task {
                    try await clock.measure { try await second.outbox.waitForWork(timeout: .seconds(60)) }
                }
                _ = try await signUp(1, first)
                let took = try await wait.value
                #expect(took < .seconds(10))
                try await server.kill()
                let pause = try await clock.measure {
                    try await second.outbox.waitForWork(timeout: .milliseconds(2_500))
                }
                #expect(pause >= .milliseconds(2_400) && pause < .seconds(15), "\(pause)")
            }
        }
    }
}
