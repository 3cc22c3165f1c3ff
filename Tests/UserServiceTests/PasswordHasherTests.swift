import Foundation
import Logging
import NIOCore
import RPC
import Storage
import Synchronization
import TestSupport
import Testing

@testable import UserService

@Suite("Passwords", .timeLimit(.minutes(10)))
struct PasswordHasherTests {
    private func withHasher(
        threads: Int = 2, queuedPerThread: Int = 64, idleWaitMax: TimeAmount = BcryptWorker.idleWaitMax,
        _ body: (PasswordHasher) async throws -> Void
    ) async throws {
        let hasher = PasswordHasher(
            threads: threads, queuedPerThread: queuedPerThread, idleWaitMax: idleWaitMax, logger: Logger(label: "test"))
        try hasher.pool.start()
        try await eventually("a hashing thread") { hasher.pool.gauges.connected == threads }
        try await body(hasher)
        await hasher.pool.shutdown()
    }

    @Test("a hash is $2b$ of cost 10 with a salt of its own, and its password alone matches")
    func hashes() async throws {
        try await withHasher { hasher in
            let (first, second) = (
                try await hasher.hash("correct horse", deadline: .never),
                try await hasher.hash("correct horse", deadline: .never)
            )
            #expect(first.hasPrefix("$2b$10$") && first.utf8.count == 60)
            #expect(first != second)
            #expect(try await hasher.compare("correct horse", with: first, deadline: .never) == .matches)
            for wrong in ["correct hors", "correct horse ", "Correct horse", ""] {
                #expect(try await hasher.compare(wrong, with: first, deadline: .never) == .differs)
            }
        }
    }

    @Test("nobody waits for a hash that does not get to a processor: it is made beside other work")
    func impatient() async throws {
        // No wait at all: each hash is begun by the thread for idle processors and given up, while that is still at one
        // before it or not.
        try await withHasher(threads: 1, idleWaitMax: .nanoseconds(0)) { hasher in
            let hash = try await hasher.hash("correct horse", deadline: .never)
            for _ in 0..<4 {
                #expect(try await hasher.compare("correct horse", with: hash, deadline: .never) == .matches)
                #expect(try await hasher.compare("wrong horse", with: hash, deadline: .never) == .differs)
            }
        }
    }

    @Test("a password is checked although other work keeps every processor busy")
    func busyProcessors() async throws {
        try await withHasher(threads: 1, idleWaitMax: .milliseconds(100)) { hasher in
            let hash = try await hasher.hash("correct horse", deadline: .never)
            let isOver = Flag()
            let busy = try (0..<2 * PasswordHasher.threadsStandard).map { number in
                try PoolThread(name: "busy-\(number)") { while !isOver.isSet {} }
            }
            defer {
                isOver.set()
                for thread in busy { thread.join() }
            }
            let begin = ContinuousClock.now
            #expect(try await hasher.compare("correct horse", with: hash, deadline: .never) == .matches)
            // With what is left over it would take 30 s.
            #expect(.now - begin < .seconds(15))
        }
    }

    @Test(
        "hashes of other makers are read: Go's $2a$, PHP's $2y$, and vectors of crypt_blowfish",
        arguments: [
            // Openwall's crypt_blowfish, wrapper.c.
            ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            ("U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            ("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
            ("U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
        ])
    func foreignHashes(password: String, hash: String) async throws {
        try await withHasher(threads: 1) { hasher in
            let verdicts = [
                try await hasher.compare(password, with: hash, deadline: .never),
                try await hasher.compare(password + "x", with: hash, deadline: .never),
            ]
            #expect(verdicts == [.matches, .differs])
        }
    }

    @Test("what is no hash matches nothing, and takes as long as a hash does")
    func malformed() async throws {
        try await withHasher { hasher in
            let good = try await hasher.hash("correct horse", deadline: .never)
            let malformed = [
                "", "*0", "*1", "correct horse", "$2b$10$short", String(good.dropLast()), good + "x",
                "$2x" + good.dropFirst(3),
                "$1$salt$qJH7.N4xYta3aEG/dfqo/0", good.replacing("$2b$10$", with: "$2b$03$"),
                good.replacing("$2b$10$", with: "$2b$31$"), good.replacing("$2b$10$", with: "$2b$-1$"),
                String(good.dropLast()) + "\n", String(good.dropLast()) + "\0",
            ]
            for text in malformed {
                let before = hasher.runCount
                #expect(
                    try await hasher.compare("correct horse", with: text, deadline: .never) == .malformed, "\(text)")
                #expect(hasher.runCount == before + 1)
            }
        }
    }

    @Test("a full queue is RESOURCE_EXHAUSTED with a time to come back, and who waits is still served")
    func fullQueue() async throws {
        try await withHasher(threads: 1, queuedPerThread: 3) { hasher in
            let outcomes = await withTaskGroup(of: Status.self) { group in
                for _ in 0..<40 {
                    group.addTask { await status { try await hasher.hash("correct horse", deadline: .never) } }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            let refused = outcomes.filter { $0.code == .resourceExhausted }
            #expect(refused.count > 20)
            #expect(refused.allSatisfy { $0.metadata["retry-after"] == "1" && $0.message.contains("1 s") })
            #expect(outcomes.count { $0 == .ok } == 40 - refused.count)
            #expect(outcomes.contains(.ok))
        }
    }

    @Test("a hash that is not made in time is RESOURCE_EXHAUSTED before the deadline, with a time to come back")
    func late() async throws {
        try await withHasher(threads: 1) { hasher in
            let isDone = Flag()
            // A processor that has nothing to spare.
            async let busy: Void = hasher.pool.run(deadline: .never) { _ in
                while !isDone.isSet { Thread.sleep(forTimeInterval: 0.001) }
            }
            try await eventually("the thread is taken") { hasher.pool.gauges.running == 1 }
            let deadline = Deadline.after(.seconds(2))
            let refused = await status { try await hasher.hash("correct horse", deadline: deadline) }
            #expect(refused.code == .resourceExhausted && refused.metadata["retry-after"] == "1")
            #expect(!deadline.isExpired)
            isDone.set()
            try await busy
            #expect(hasher.runCount == 0)
        }
    }

    @Test("a call whose deadline passes in the queue is not hashed")
    func deadline() async throws {
        try await withHasher(threads: 1) { hasher in
            let refused = await status { try await hasher.hash("correct horse", deadline: .after(.zero)) }
            #expect(refused.code == .deadlineExceeded)
            #expect(hasher.runCount == 0)
        }
    }

    @Test("a hasher that is stopped is UNAVAILABLE and speaks of passwords, not of a store")
    func stopped() async throws {
        let hasher = PasswordHasher(threads: 1, logger: Logger(label: "test"))
        try hasher.pool.start()
        await hasher.pool.shutdown()
        let refused = await status { try await hasher.hash("correct horse", deadline: .never) }
        #expect(refused.code == .unavailable)
        #expect(!refused.message.contains("store"))
    }
}

/// Set once, by anybody.
private final class Flag: Sendable {
    private let value = Atomic(false)

    var isSet: Bool { value.load(ordering: .relaxed) }

    func set() { value.store(true, ordering: .relaxed) }
}
