import RPC
import Testing

@testable import UserService

@Suite("Back-off after failed logins")
struct LoginGuardTests {
    private let clock = TestClock()

    private func makeGuard(_ limits: LoginLimits = LoginLimits()) -> LoginGuard {
        LoginGuard(limits, now: clock.now)
    }

    /// Seconds to wait; 0 when the try was let through, and failed.
    private func fail(_ guardian: LoginGuard, _ email: String = "ada@example.com", peer: String = "1.2.3.4:5") -> Int {
        do {
            guardian.failed(try guardian.begin(email: email, peer: peer))
            return 0
        } catch .tooManyTries(let seconds) {
            return seconds
        } catch { return -1 }
    }

    @Test("three failures are free, then the wait doubles up to half a minute")
    func doubles() {
        let guardian = makeGuard()
        for _ in 0..<3 { #expect(fail(guardian) == 0) }
        for wait in [1, 2, 4, 8, 16, 30, 30] {
            #expect(fail(guardian) == 0)
            #expect(fail(guardian) == wait)
            clock.advance(.seconds(wait))
        }
        #expect(guardian.refusalCount == 7)
    }

    @Test("coming too early does not make the wait longer")
    func earlyIsFree() {
        let guardian = makeGuard()
        for _ in 0..<5 {
            while fail(guardian) == 0 {}
            clock.advance(.seconds(1))
        }
        for _ in 0..<100 { _ = fail(guardian) }
        let wait = fail(guardian)
        clock.advance(.seconds(max(wait, 0)))
        #expect(fail(guardian) == 0)
    }

    @Test("a success forgets the account's failures; so does a quarter of an hour")
    func forgets() throws {
        let guardian = makeGuard()
        for _ in 0..<3 { #expect(fail(guardian) == 0) }
        guardian.succeeded(try guardian.begin(email: "ada@example.com", peer: "p:1"))
        for _ in 0..<4 { #expect(fail(guardian) == 0) }
        #expect(fail(guardian) == 1)
        clock.advance(.seconds(901))
        for _ in 0..<4 { #expect(fail(guardian) == 0) }
        #expect(fail(guardian) == 1)
    }

    @Test("a try that came to nothing never was")
    func withdrawn() throws {
        let guardian = makeGuard()
        for _ in 0..<100 { guardian.withdraw(try guardian.begin(email: "ada@example.com", peer: "p:1")) }
        for _ in 0..<4 { #expect(fail(guardian) == 0) }
        #expect(fail(guardian) == 1)
    }

    @Test("tries under way are bounded: many while none has failed, then what is left of the free ones, then one")
    func concurrent() throws {
        let guardian = makeGuard()
        func begin(_ count: Int) -> [LoginGuard.Attempt] {
            (0..<count).compactMap { _ in try? guardian.begin(email: "ada@example.com", peer: "p:1") }
        }
        let first = begin(100)
        #expect(first.count == 64)
        for attempt in first { guardian.succeeded(attempt) }
        for expected in [64, 3, 2, 1] {
            let through = begin(100)
            #expect(through.count == expected)
            for attempt in through.dropFirst() { guardian.withdraw(attempt) }
            if let attempt = through.first { guardian.failed(attempt) }
        }
        #expect(begin(100).isEmpty)
        clock.advance(.seconds(1))
        #expect(begin(100).count == 1)
    }

    @Test("guesses that came all at once make the account wait for the longest time")
    func burst() throws {
        let guardian = makeGuard()
        let all = try (0..<64).map { _ in try guardian.begin(email: "ada@example.com", peer: "p:1") }
        for attempt in all { guardian.failed(attempt) }
        #expect(fail(guardian) == 30)
    }

    @Test("accounts do not hold each other up, and case makes no other account")
    func accounts() {
        let guardian = makeGuard()
        while fail(guardian, "ada@example.com") == 0 {}
        #expect(fail(guardian, "bob@example.com") == 0)
        #expect(fail(guardian, "ADA@Example.com") == 1)
    }

    @Test("an address has a wide budget of failures that fills up again, whatever its port")
    func addresses() {
        var limits = LoginLimits()
        limits.addressBurst = 10
        limits.addressRate = 2
        let guardian = makeGuard(limits)
        for index in 0..<10 {
            #expect(fail(guardian, "\(index)@example.com", peer: "[IPv4]1.2.3.4/1.2.3.4:\(index)") == 0)
        }
        #expect(fail(guardian, "x@example.com", peer: "[IPv4]1.2.3.4/1.2.3.4:9999") == 1)
        #expect(fail(guardian, "x@example.com", peer: "[IPv4]1.2.3.5/1.2.3.5:9999") == 0)
        clock.advance(.seconds(1))
        #expect(fail(guardian, "y@example.com", peer: "[IPv4]1.2.3.4/1.2.3.4:1") == 0)
        #expect(fail(guardian, "z@example.com", peer: "[IPv4]1.2.3.4/1.2.3.4:1") == 0)
        #expect(fail(guardian, "w@example.com", peer: "[IPv4]1.2.3.4/1.2.3.4:1") == 1)
    }

    @Test("successes cost an address nothing")
    func addressSuccesses() throws {
        var limits = LoginLimits()
        limits.addressBurst = 5
        let guardian = makeGuard(limits)
        for index in 0..<100 { guardian.succeeded(try guardian.begin(email: "\(index)@example.com", peer: "p:1")) }
        #expect(fail(guardian, peer: "p:1") == 0)
    }

    @Test("memory is bounded, and a flood of other accounts does not free one that waits for long")
    func bounded() {
        var limits = LoginLimits()
        limits.accountsMax = 64
        limits.addressBurst = 1e9
        let guardian = makeGuard(limits)
        for _ in 0..<3 { #expect(fail(guardian) == 0) }
        for index in 0..<10_000 { _ = fail(guardian, "\(index)@example.com") }
        // It may have been forgotten, which is the bound's price, but nothing broke.
        #expect(fail(guardian, "last@example.com") == 0)
    }

    @Test("a table keeps what it can and lets the oldest go")
    func table() {
        var table = BoundedTable<Int>(capacity: 8)
        let now = clock.now()
        for key in 0..<8 { table.set(key, of: UInt64(key), forgetAt: now + .seconds(10 + key)) }
        table.set(100, of: 3, forgetAt: now + .seconds(99))
        #expect(table.record(of: 3, now: now) == 100)
        table.set(8, of: 8, forgetAt: now + .seconds(50))
        #expect(table.record(of: 0, now: now) == nil)
        for key in 1..<9 where key != 3 { #expect(table.record(of: UInt64(key), now: now) == key) }
        #expect(table.record(of: 5, now: now + .seconds(15)) == nil)
        table.remove(4)
        #expect(table.record(of: 4, now: now) == nil)
    }
}
