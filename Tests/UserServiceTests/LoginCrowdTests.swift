import Contracts
import RPC
import Storage
import Synchronization
import TestSupport
import Testing

@testable import UserService

/// Many logins at the same time, and from many addresses.
@Suite("Logins in crowds", .timeLimit(.minutes(10)))
struct LoginCrowdTests {
    private let clock = TestClock()

    private func key(_ number: Int) -> CallerAddress {
        CallerAddress(peer: "10.\(number / 65_536).\(number / 256 % 256).\(number % 256):1")
    }

    @Test("of 64 guesses at once only as many are compared as of guesses in sequence; the rest must wait")
    func guesses() async throws {
        try await withService(ServiceWishes(threads: 2)) { service in
            try await service.signUp("ada@example.com")
            let before = service.handlers.passwords.hasher.runCount
            let outcomes = await withTaskGroup(of: Status.self) { group in
                for index in 0..<64 {
                    group.addTask {
                        await status { try await service.call(UserMethods.auth, user(password: "guess no. \(index)")) }
                    }
                }
                return await group.reduce(into: [Status]()) { $0.append($1) }
            }
            #expect(service.handlers.passwords.hasher.runCount - before == 4)
            #expect(outcomes.count { $0 == UserError.wrongCredentials.status } == 4)
            #expect(outcomes.count { $0 == UserError.tooManyTries(seconds: 1).status } == 60)
            #expect(service.handlers.passwords.throttle.waitingCount == 0)
        }
    }

    @Test("programs that share an account all get in when they log in at once")
    func programs() async throws {
        let throttle = LoginThrottle(now: clock.now, sleep: { _ in })
        let atOnce = Monitor((now: 0, most: 0))
        let passed = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<64 {
                group.addTask {
                    guard let attempt = try? await throttle.begin(email: "ada@example.com", from: key(1)) else {
                        return false
                    }
                    atOnce.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                    for _ in 0..<10 { await Task.yield() }
                    atOnce.withLock { $0.now -= 1 }
                    throttle.succeeded(attempt)
                    return true
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(passed == 64)
        #expect(atOnce.withLock { $0.most } <= 4)
        #expect(throttle.waitingCount == 0)
    }

    @Test("programs that log in to a service at once all get in")
    func programsOfService() async throws {
        try await withService(ServiceWishes(threads: 2)) { service in
            try await service.signUp("ada@example.com")
            let outcomes = await withTaskGroup(of: Status.self) { group in
                for _ in 0..<12 { group.addTask { await status { try await service.call(UserMethods.auth, user()) } } }
                return await group.reduce(into: [Status]()) { $0.append($1) }
            }
            #expect(outcomes.allSatisfy { $0 == .ok }, "\(outcomes.filter { $0 != .ok })")
        }
    }

    @Test("guesses from another address, at any pace, do not affect the owner; unknown emails are treated the same")
    func stranger() async throws {
        try await withService { service in
            try await service.signUp("ada@example.com")
            for email in ["ada@example.com", "nobody@example.com"] {
                var texts: [Status] = []
                for _ in 0..<9 {
                    texts.append(
                        await status {
                            try await service.call(
                                UserMethods.auth, user(email, password: "a guess"),
                                metadata: ["x-client-address": "6.6.6.6"])
                        })
                    service.clock.advance(.milliseconds(3_500))
                }
                #expect(Set(texts.map(\.code)) == [.unauthenticated, .resourceExhausted])
                #expect(texts.last?.code == .resourceExhausted)
            }
            for _ in 0..<40 {
                let token = try await service.call(
                    UserMethods.auth, user("ada@example.com"), metadata: ["x-client-address": "192.0.2.7"])
                #expect(token.valid)
            }
            // Without the gateway the caller's address is the peer's.
            #expect(try await service.call(UserMethods.auth, user("ada@example.com")).valid)
        }
    }

    private func fail(_ throttle: LoginThrottle, from address: Int) async -> Bool {
        guard let attempt = try? await throttle.begin(email: "ada@example.com", from: key(address)) else {
            return false
        }
        throttle.failed(attempt)
        return true
    }

    @Test("beyond the account's budget logins are delayed, and none from a new address is rejected")
    func manyAddresses() async throws {
        let held = Mutex<[Duration]>([])
        let throttle = LoginThrottle(now: clock.now, sleep: { delay in held.withLock { $0.append(delay) } })
        for index in 0..<100 { #expect(await fail(throttle, from: index)) }
        #expect(held.withLock { $0.isEmpty })
        for index in 100..<200 { #expect(await fail(throttle, from: index)) }
        let delays = held.withLock { $0 }
        #expect(delays.count == 100)
        #expect(delays.first == .milliseconds(15) && delays.last == .milliseconds(300))
        #expect(delays == delays.sorted())
        // A new failure is no longer free, but addresses that failed before do not start over.
        #expect(await !fail(throttle, from: 199))
        clock.advance(.seconds(1))
        #expect(await fail(throttle, from: 199))
        #expect(await !fail(throttle, from: 199))
        for _ in 0..<40 {
            throttle.succeeded(try await throttle.begin(email: "ada@example.com", from: key(1_000_000)))
        }
        #expect(throttle.delayCount == 141)
        // Two a minute stop counting.
        clock.advance(.seconds(3_600))
        throttle.succeeded(try await throttle.begin(email: "ada@example.com", from: key(1_000_001)))
        #expect(throttle.delayCount == 141)
        #expect(throttle.waitingCount == 0)
    }

    @Test("however many others guess, the owner gets in")
    func neverCloses() async throws {
        let throttle = LoginThrottle(now: clock.now, sleep: { _ in })
        for round in 0..<2 {
            for index in 0..<5_000 { _ = await fail(throttle, from: index) }
            for _ in 0..<40 {
                throttle.succeeded(try await throttle.begin(email: "ada@example.com", from: key(2_000_000 + round)))
            }
        }
    }

    @Test("while two logins are delayed no other waits, and only addresses that failed often are rejected")
    func delayedAtOnce() async throws {
        let throttle = LoginThrottle(now: clock.now, sleep: { _ in try await Task.sleep(for: .seconds(3_600)) })
        @Sendable func begin(_ number: Int) async throws -> LoginThrottle.Attempt {
            try await throttle.begin(email: "ada@example.com", from: key(number))
        }
        // The whole budget.
        let addresses = Array(repeating: 0, count: 4) + Array(repeating: 1, count: 2) + Array(2..<96)
        for address in addresses { #expect(await fail(throttle, from: address)) }
        clock.advance(.seconds(1))
        let delayed = [200, 201].map { number in Task { try await begin(number) } }
        try await eventually("two are delayed") { throttle.waitingCount == 2 }
        for address in 300..<350 { #expect(await fail(throttle, from: address)) }
        for _ in 0..<40 { throttle.succeeded(try await begin(1_000)) }
        // An owner who has made typing errors.
        throttle.cancel(try await begin(1))
        // One that failed often, and one behind a delayed login.
        for address in [0, 200] {
            await #expect(throws: UserError.tooManyTries(seconds: 1)) { try await begin(address) }
        }
        #expect(throttle.waitingCount == 2 && throttle.delayCount == 2)
        for login in delayed { login.cancel() }
        for login in delayed { await #expect(throws: CancellationError.self) { try await login.value } }
        #expect(throttle.waitingCount == 0)
        let next = Task { try await begin(200) }
        try await eventually("the next one is delayed") { throttle.waitingCount == 1 }
        next.cancel()
        _ = await next.result
    }

    @Test("a stranger who guesses at an account from many addresses holds up neither its owner nor other accounts")
    func bystanders() async throws {
        var wishes = ServiceWishes(threads: 2)
        wishes.limits.accountBurst = 4
        wishes.sleep = { _ in try await Task.sleep(for: .seconds(3_600)) }
        try await withService(wishes) { service in
            for email in ["ada@example.com", "bob@example.com"] { try await service.signUp(email) }
            let answered = Monitor(0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<16 {
                    group.addTask {
                        _ = await status {
                            try await service.call(
                                UserMethods.auth, user(password: "a guess"),
                                metadata: ["x-client-address": "198.51.100.\(number)"], timeout: .seconds(100))
                        }
                        answered.withLock { $0 += 1 }
                    }
                }
                try await eventually("answers to all but two", within: .seconds(60)) { answered.withLock { $0 } == 14 }
                for email in ["bob@example.com", "ada@example.com"] {
                    let isIn = try await service.call(
                        UserMethods.auth, user(email), metadata: ["x-client-address": "192.0.2.7"]
                    ).valid
                    #expect(isIn, "\(email)")
                }
                group.cancelAll()
            }
            try await eventually("the end of all") { service.handlers.passwords.throttle.waitingCount == 0 }
        }
    }

    @Test("guesses of many addresses at once count before they are compared")
    func countedAtOnce() async throws {
        let held = Mutex(0)
        let throttle = LoginThrottle(now: clock.now, sleep: { _ in held.withLock { $0 += 1 } })
        var attempts: [LoginThrottle.Attempt] = []
        for index in 0..<150 {
            attempts.append(try await throttle.begin(email: "ada@example.com", from: key(index)))
        }
        #expect(held.withLock { $0 } == 50)
        for attempt in attempts { throttle.succeeded(attempt) }
        throttle.succeeded(try await throttle.begin(email: "ada@example.com", from: key(7)))
        #expect(held.withLock { $0 } == 50)
    }

    @Test("waiting logins go on in order, or leave with their callers; a queue has a limit")
    func queues() async throws {
        var limits = LoginLimits()
        limits.queuedMax = 3
        let throttle = LoginThrottle(limits, now: clock.now, sleep: { _ in })
        @Sendable func begin() async throws -> LoginThrottle.Attempt {
            try await throttle.begin(email: "ada@example.com", from: CallerAddress(peer: "1.2.3.4:1"))
        }
        var underWay: [LoginThrottle.Attempt] = []
        for _ in 0..<4 { underWay.append(try await begin()) }
        var waiters: [Task<LoginThrottle.Attempt, any Error>] = []
        for count in 1...3 {
            waiters.append(Task { try await begin() })
            try await eventually("\(count) in the queue") { throttle.waitingCount == count }
        }
        await #expect(throws: UserError.tooManyTries(seconds: 1)) { try await begin() }
        waiters[1].cancel()
        await #expect(throws: CancellationError.self) { try await waiters[1].value }
        #expect(throttle.waitingCount == 2)
        throttle.succeeded(underWay[0])
        let second = try await waiters[0].value
        #expect(throttle.waitingCount == 1)
        throttle.cancel(second)
        throttle.cancel(try await waiters[2].value)
        // The last ones to end are failures, so the next login is rejected.
        for attempt in underWay.dropFirst() { throttle.failed(attempt) }
        throttle.failed(try await begin())
        await #expect(throws: UserError.tooManyTries(seconds: 1)) { try await begin() }
        #expect(throttle.waitingCount == 0)
    }

    @Test("a caller who has left already does not wait in the queue")
    func lateCancellation() async throws {
        let throttle = LoginThrottle(now: clock.now, sleep: { _ in })
        for index in 0..<4 { _ = try await throttle.begin(email: "ada@example.com", from: key(index / 4)) }
        let late = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await throttle.begin(email: "ada@example.com", from: key(0))
        }
        await #expect(throws: CancellationError.self) { try await late.value }
        #expect(throttle.waitingCount == 0)
    }

    @Test("a delayed login that gives up has not failed")
    func givesUp() async throws {
        let limits = LoginLimits()
        let throttle = LoginThrottle(limits, now: clock.now)
        for index in 0..<100 { _ = await fail(throttle, from: index) }
        for _ in 0..<20 {
            let login = Task { try await throttle.begin(email: "ada@example.com", from: key(500)) }
            login.cancel()
            if let attempt = try? await login.value { throttle.cancel(attempt) }
        }
        #expect(throttle.waitingCount == 0)
        throttle.succeeded(try await throttle.begin(email: "ada@example.com", from: key(500)))
        #expect(throttle.rejectionCount == 0)
    }
}
