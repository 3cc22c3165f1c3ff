import Contracts
import RPC
import Storage
import TestSupport
import Testing

@testable import UserService

@Suite("Logging in", .timeLimit(.minutes(10)))
struct AuthTests {
    @Test("a wrong password, an unknown email and a stored text that is no hash get one answer, after one hash each")
    func sameAnswer() async throws {
        try await withService { service in
            try await service.signUp("ada@example.com")
            try await service.users.insert("broken@example.com", hash: "no hash", id: "broken")
            let tries = [
                user("ada@example.com", password: "wrong horse"), user("nobody@example.com"),
                user("broken@example.com"),
                user(""), user("no address"), user(String(repeating: "x", count: 100_000)),
                user("ada@example.com", password: ""), user("' OR 1=1 --", password: "' OR 1=1 --"),
            ]
            for request in tries {
                let before = service.handlers.passwords.hasher.runCount
                let refused = await status { try await service.call(UserMethods.auth, request) }
                #expect(refused == UserError.wrongCredentials.status)
                #expect(refused.metadata.first { $0.name != "content-type" } == nil)
                #expect(service.handlers.passwords.hasher.runCount == before + 1)
            }
            #expect(service.log.text.contains("broken"))
            #expect(!service.log.text.contains("no hash"))
        }
    }

    @Test("users of the Go service log in with their $2a$ hashes, however short or long their passwords are")
    func goUsers() async throws {
        try await withService { service in
            let long = String(repeating: "p", count: 100)
            let (short, cut) = (
                try await service.handlers.passwords.hasher.hash("short", deadline: .never),
                try await service.handlers.passwords.hasher.hash(long, deadline: .never)
            )
            for (email, hash) in [("short@example.com", short), ("long@example.com", cut)] {
                try await service.users.insert(email, hash: hash.replacing("$2b$", with: "$2a$"))
            }
            #expect(try await service.call(UserMethods.auth, user("short@example.com", password: "short")).valid)
            #expect(try await service.call(UserMethods.auth, user("long@example.com", password: long)).valid)
        }
    }

    @Test("a password that goes on after bcrypt's 72 bytes is wrong, and costs one hash like any other")
    func longPasswords() async throws {
        try await withService { service in
            let longest = String(repeating: "p", count: 72)
            try await service.signUp("ada@example.com", password: longest)
            #expect(try await service.call(UserMethods.auth, user("ada@example.com", password: longest)).valid)
            for more in ["p", "x", String(repeating: "p", count: 400)] {
                for email in ["ada@example.com", "nobody@example.com"] {
                    let before = service.handlers.passwords.hasher.runCount
                    let refused = await status {
                        try await service.call(UserMethods.auth, user(email, password: longest + more))
                    }
                    #expect(refused == UserError.wrongCredentials.status)
                    #expect(service.handlers.passwords.hasher.runCount == before + 1)
                }
            }
        }
    }

    @Test("a NUL in any field and a password of more than 511 bytes are INVALID_ARGUMENT")
    func validation() async throws {
        try await withService { service in
            var wrong = [user("a\0@b.cd"), user(password: "correct horse\0"), user(name: "\0"), user(company: "\0")]
            wrong.append(user(password: String(repeating: "x", count: 512)))
            for request in wrong {
                let refused = await status { try await service.call(UserMethods.auth, request) }
                #expect(refused.code == .invalidArgument)
            }
            #expect(service.handlers.passwords.hasher.runCount == 0)
        }
    }

    @Test("after failed tries an account waits, known or not, and the right password works after the wait")
    func backOff() async throws {
        try await withService { service in
            try await service.signUp("ada@example.com")
            for email in ["ada@example.com", "nobody@example.com"] {
                for _ in 0..<4 {
                    let refused = await status {
                        try await service.call(UserMethods.auth, user(email, password: "wrong"))
                    }
                    #expect(refused.code == .unauthenticated)
                }
                let before = (
                    service.handlers.passwords.hasher.runCount, service.users.state.withLock { $0.lookups }
                )
                let refused = await status { try await service.call(UserMethods.auth, user(email)) }
                #expect(refused.code == .resourceExhausted)
                #expect(refused.metadata["retry-after"] == "1")
                #expect(refused.message == "too many failed logins; try again in 1 s")
                #expect(service.handlers.passwords.hasher.runCount == before.0)
                #expect(service.users.state.withLock { $0.lookups } == before.1)
            }
            service.clock.advance(.seconds(1))
            #expect(try await service.call(UserMethods.auth, user("ada@example.com")).valid)
        }
    }

    @Test("while the hashing queue is full, ValidateToken and Get are served, and logins are answered or refused")
    func flood() async throws {
        let wishes = ServiceWishes(threads: 1, queuedPerThread: 4)
        try await withService(wishes) { service in
            let (id, token) = try await service.signUp("ada@example.com")
            let gauges = { service.handlers.passwords.hasher.pool.gauges }
            try await withThrowingTaskGroup(of: [Status].self) { group in
                for client in 0..<16 {
                    group.addTask {
                        var outcomes: [Status] = []
                        for round in 0..<20 {
                            let guess = user("\(client)-\(round)@example.com", password: "guess")
                            outcomes.append(await status { try await service.call(UserMethods.auth, guess) })
                        }
                        return outcomes
                    }
                }
                try await eventually("a full queue") { gauges().queued == gauges().queueCapacity }
                var servedWhileFull = 0
                try await eventually("50 calls while the queue was full") {
                    let isFull = gauges().queued > 0
                    let valid = try await service.call(UserMethods.validateToken, .with { $0.token = token }).valid
                    let found = try await service.call(UserMethods.get, .with { $0.id = id }, token: token)
                    #expect(valid && found.user.id == id)
                    if isFull, gauges().queued > 0 { servedWhileFull += 1 }
                    return servedWhileFull >= 50 || (!isFull && servedWhileFull > 0)
                }
                #expect(servedWhileFull > 0)
                var outcomes: [Status] = []
                for try await part in group { outcomes += part }
                #expect(outcomes.count == 320)
                #expect(outcomes.allSatisfy { [.unauthenticated, .resourceExhausted].contains($0.code) })
                #expect(outcomes.contains { $0.code == .resourceExhausted && $0.metadata["retry-after"] == "1" })
            }
        }
    }

    @Test("a store that fails costs the account no try")
    func storeFails() async throws {
        try await withService { service in
            try await service.signUp("ada@example.com")
            service.users.fail(StorageError(.connectionLost, "gone"))
            for _ in 0..<20 {
                let refused = await status { try await service.call(UserMethods.auth, user("ada@example.com")) }
                #expect(refused.code == .unavailable)
            }
            service.users.fail(nil)
            #expect(try await service.call(UserMethods.auth, user("ada@example.com")).valid)
        }
    }
}
