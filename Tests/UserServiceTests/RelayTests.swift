import Contracts
import LeasedQueue
import RPC
import Storage
import TestSupport
import Testing

@testable import UserService

@Suite("The relay", .timeLimit(.minutes(10)))
struct RelayTests {
    private func withEmail(port: Int = 0, _ email: FakeEmail, _ body: (Int) async throws -> Void) async throws {
        try await withServer(email.routes, logger: LogCapture().logger(), port: port) { _, port in try await body(port)
        }
    }

    @Test(
        "every event arrives once and whole, those from before the start and those from after",
        arguments: UserStoreKind.allCases)
    func delivers(kind: UserStoreKind) async throws {
        try await withWatchedUsers(kind) { users in
            let email = FakeEmail()
            for index in 0..<150 { try await users.add("early-\(index)") }
            try await withEmail(email) { port in
                try await withRelay(users, port: port) { relay in
                    for index in 0..<50 { try await users.add("late-\(index)") }
                    try await eventually("all delivered") { try await users.isDrained }
                    #expect(email.taken.count == 200)
                    #expect(Set(email.taken.map(\.eventID)).count == 200)
                    #expect(email.runningMax <= 16)
                    try await eventually("their count") { relay.counts.values == QueueCounts.Values(done: 200) }
                    let first = try #require(email.taken.first { $0.name == "early-0" })
                    #expect(first.eventID == "event-early-0" && first.userID == "user-early-0")
                    #expect(first.email == "early-0@example.com" && first.company == "c")
                    #expect(first.occurredAt.seconds == TestClock.epoch / 1_000_000 && first.occurredAt.nanos == 7_000)
                }
            }
        }
    }

    @Test("with the mail service down events wait, and arrive when it comes; again when it goes and comes back")
    func outage() async throws {
        try await withWatchedUsers { users in
            let (email, log) = (FakeEmail(), LogCapture())
            let port = try Ports.free()
            try await withRelay(users, port: port, log: log) { relay in
                for round in 0..<2 {
                    for index in 0..<20 { try await users.add("\(round)-\(index)") }
                    try await eventually("tries", within: .seconds(60)) {
                        relay.counts.values.retried >= 40 * (round + 1)
                    }
                    #expect(email.taken.count == 20 * round)
                    try await withEmail(port: port, email) { _ in
                        try await eventually("all delivered") { try await users.isDrained }
                        #expect(email.taken.count == 20 * (round + 1))
                    }
                }
                #expect(relay.counts.values.deadLettered == 0)
                // A word when it begins and when it is over, perhaps some while it changes, but not one for every try.
                let complaints = log.text.components(separatedBy: "can't be delivered").count - 1
                #expect((2...10).contains(complaints))
            }
        }
    }

    @Test("a delivery that fails is retried, and its tries and the reason are kept with it")
    func retried() async throws {
        try await withWatchedUsers { users in
            let email = FakeEmail()
            email.set(.rejects(Status(.internal, "no luck")), for: "unlucky@example.com")
            try await users.add("unlucky")
            try await users.add("lucky")
            try await withEmail(email) { port in
                try await withRelay(users, port: port) { _ in
                    try await eventually("five tries") { users.story("unlucky")?.retries ?? 0 >= 5 }
                    #expect(users.story("unlucky")?.lastError == "INTERNAL: no luck")
                    #expect(users.story("lucky")?.isDelivered == true)
                    email.set(.takes, for: "unlucky@example.com")
                    try await eventually("all delivered") { try await users.isDrained }
                    #expect(email.taken.count == 2)
                }
            }
        }
    }

    @Test(
        "an event that the mail service rejects as invalid is dead-lettered at once, and delivered after a requeue",
        arguments: UserStoreKind.allCases)
    func deadLettered(kind: UserStoreKind) async throws {
        try await withWatchedUsers(kind) { users in
            let email = FakeEmail()
            email.set(.rejects(Status(.invalidArgument, "no")), for: "odd@example.com")
            try await users.add("odd")
            try await users.add("even")
            try await withEmail(email) { port in
                try await withRelay(users, port: port) { relay in
                    try await eventually("a dead letter") { users.story("odd")?.isDead ?? false }
                    try await eventually("a delivery") { users.story("even")?.isDelivered ?? false }
                    try await eventually("its count") { relay.counts.values.deadLettered == 1 }
                    #expect(email.tries == 2)
                    email.set(.takes, for: "odd@example.com")
                    #expect(try await users.requeueDeadLetters(deadline: .never) == 1)
                    try await eventually("all delivered") { try await users.isDrained }
                }
            }
        }
    }

    @Test("an event that fails all its tries is dead-lettered")
    func triesEnd() async throws {
        try await withWatchedUsers { users in
            let email = FakeEmail()
            email.set(.rejects(Status(.unavailable, "busy")))
            try await users.add("late")
            var bounds = RelayBounds.quick
            bounds.policy.triesMax = 4
            try await withEmail(email) { port in
                try await withRelay(users, port: port, bounds) { _ in
                    try await eventually("a dead letter") { users.story("late")?.isDead ?? false }
                    #expect(email.tries == 4)
                }
            }
        }
    }

    @Test("a delivery that hangs is given up at its deadline and tried again; others do not wait for ever")
    func hangs() async throws {
        try await withWatchedUsers { users in
            let email = FakeEmail()
            email.set(.hangs, for: "slow@example.com")
            try await users.add("slow")
            for index in 0..<30 { try await users.add("\(index)") }
            var bounds = RelayBounds.quick
            bounds.deliveryTimeout = .milliseconds(100)
            try await withEmail(email) { port in
                try await withRelay(users, port: port, bounds) { _ in
                    try await eventually("the others") { email.taken.count == 30 }
                    try await eventually("tries") { users.story("slow")?.retries ?? 0 >= 2 }
                    #expect(users.story("slow")?.lastError.hasPrefix("DEADLINE_EXCEEDED") == true)
                    email.set(.takes, for: "slow@example.com")
                    try await eventually("all delivered") { try await users.isDrained }
                }
            }
        }
    }

    @Test("an event that was taken but could not be marked comes again by the same id once its lease is over")
    func unmarked() async throws {
        try await withWatchedUsers { users in
            let email = FakeEmail()
            users.failMarking(StorageError(.connectionLost, "gone"))
            try await users.add("twice")
            var bounds = RelayBounds.quick
            bounds.policy.lease = .milliseconds(100)
            try await withEmail(email) { port in
                try await withRelay(users, port: port, bounds) { relay in
                    try await eventually("a second delivery") { email.taken.count >= 2 }
                    #expect(relay.counts.values.done == 0)
                    users.failMarking(nil)
                    try await eventually("all delivered") { try await users.isDrained }
                    #expect(Set(email.taken.map(\.eventID)) == ["event-twice"])
                }
            }
        }
    }

    @Test(
        "when a relay dies half-way, another delivers what it had claimed, and nothing twice that was marked",
        arguments: UserStoreKind.allCases)
    func crash(kind: UserStoreKind) async throws {
        try await withWatchedUsers(kind) { users in
            let email = FakeEmail()
            try await users.add("before")
            var bounds = RelayBounds.quick
            bounds.policy.lease = .milliseconds(300)
            let dying = WatchedUsers(sharing: users)
            try await withEmail(email) { port in
                try await withRelay(dying, port: port, bounds) { relay in
                    try await eventually("a delivery") { try await users.isDrained }
                    email.set(.hangs)
                    for index in 0..<40 { try await users.add("\(index)") }
                    try await eventually("deliveries in flight") { email.running == 16 }
                    // The nearest to kill -9: whatever it waits for is cut off, and nothing is stored.
                    dying.fail(StorageError(.connectionLost, "dead"))
                    await relay.service.cancel()
                }
                #expect(email.taken.count == 1)
                email.set(.takes)
                try await withRelay(users, port: port, bounds) { _ in
                    try await eventually("all delivered") { try await users.isDrained }
                }
                #expect(email.taken.count { $0.name == "before" } == 1)
                #expect(Set(email.taken.map(\.eventID)).count == 41)
            }
        }
    }

    @Test(
        "a relay that is asked to stop finishes what is in flight and hands the rest of its batch back",
        arguments: UserStoreKind.allCases)
    func stops(kind: UserStoreKind) async throws {
        try await withWatchedUsers(kind) { users in
            let email = FakeEmail()
            email.set(.hangs)
            for index in 0..<40 { try await users.add("\(index)") }
            try await withEmail(email) { port in
                try await withRelay(users, port: port) { relay in
                    try await eventually("deliveries in flight") { email.running == 16 }
                    await relay.service.beginStop()
                    email.set(.takes)
                    await relay.service.stop()
                    #expect(email.taken.count == 16)
                    #expect(users.stories.count(where: \.isDelivered) == 16)
                    // The others are due at once, not after the lease.
                    let rest = try await users.claim(limit: 100, lease: .seconds(1), deadline: .never)
                    #expect(rest.count == 24)
                }
            }
        }
    }

    @Test(
        "two relays at once share the work",
        arguments: UserStoreKind.allCases)
    func two(kind: UserStoreKind) async throws {
        try await withWatchedUsers(kind) { users in
            let email = FakeEmail()
            for index in 0..<500 { try await users.add("\(index)") }
            try await withEmail(email) { port in
                try await withRelay(users, port: port) { _ in
                    try await withRelay(users, port: port) { _ in
                        try await eventually("all delivered") { try await users.isDrained }
                        #expect(email.taken.count == 500)
                    }
                }
            }
        }
    }

    @Test("a store that fails stops deliveries and no more: they go on when it is back")
    func storeFails() async throws {
        try await withWatchedUsers { users in
            let (email, log) = (FakeEmail(), LogCapture())
            try await users.add("one")
            users.fail(StorageError(.connectionLost, "gone"))
            try await withEmail(email) { port in
                try await withRelay(users, port: port, log: log) { _ in
                    try await eventually("a word about it") { log.text.contains("no events can be claimed") }
                    users.fail(nil)
                    try await eventually("all delivered") { try await users.isDrained }
                    try await eventually("a word about it") { log.text.contains("can be claimed again") }
                }
            }
        }
    }
}
