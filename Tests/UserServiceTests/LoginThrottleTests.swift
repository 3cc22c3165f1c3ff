import RPC
import Synchronization
import TestSupport
import Testing

@testable import UserService

@Suite("Throttling of logins", .timeLimit(.minutes(10)))
struct LoginThrottleTests {
    private let clock = TestClock()

    private func makeThrottle(_ limits: LoginLimits = LoginLimits()) -> LoginThrottle {
        LoginThrottle(limits, now: clock.now, sleep: { _ in })
    }

    private func begin(
        _ throttle: LoginThrottle, _ email: String = "ada@example.com", peer: String = "1.2.3.4:5"
    ) async throws -> LoginThrottle.Attempt {
        try await throttle.begin(email: email, from: CallerAddress(peer: peer))
    }

    /// The wait in seconds; 0 when the login was let through, and failed.
    private func fail(
        _ throttle: LoginThrottle, _ email: String = "ada@example.com", peer: String = "1.2.3.4:5"
    ) async -> Int {
        do {
            throttle.failed(try await begin(throttle, email, peer: peer))
            return 0
        } catch UserError.tooManyTries(let seconds) {
            return seconds
        } catch { return -1 }
    }

    @Test("three failures are free, then the wait doubles up to half a minute")
    func doubles() async {
        let throttle = makeThrottle()
        for _ in 0..<3 { #expect(await fail(throttle) == 0) }
        for wait in [1, 2, 4, 8, 16, 30, 30] {
            #expect(await fail(throttle) == 0)
            #expect(await fail(throttle) == wait)
            clock.advance(.seconds(wait))
        }
        #expect(throttle.rejectionCount == 7)
    }

    @Test("retrying too early does not make the wait longer")
    func earlyIsFree() async {
        let throttle = makeThrottle()
        for _ in 0..<5 {
            while await fail(throttle) == 0 {}
            clock.advance(.seconds(1))
        }
        for _ in 0..<100 { _ = await fail(throttle) }
        let wait = await fail(throttle)
        clock.advance(.seconds(max(wait, 0)))
        #expect(await fail(throttle) == 0)
    }

    @Test("a success forgets the failures from its address; so does a quarter of an hour")
    func forgets() async throws {
        let throttle = makeThrottle()
        for _ in 0..<3 { #expect(await fail(throttle) == 0) }
        throttle.succeeded(try await begin(throttle))
        for _ in 0..<4 { #expect(await fail(throttle) == 0) }
        #expect(await fail(throttle) == 1)
        clock.advance(.seconds(901))
        for _ in 0..<4 { #expect(await fail(throttle) == 0) }
        #expect(await fail(throttle) == 1)
    }

    @Test("a success from another address removes no failure of a guesser")
    func successElsewhere() async throws {
        let throttle = makeThrottle()
        for _ in 0..<4 { #expect(await fail(throttle) == 0) }
        throttle.succeeded(try await begin(throttle, peer: "5.6.7.8:1"))
        #expect(await fail(throttle) == 1)
    }

    @Test("a cancelled login does not count")
    func cancelled() async throws {
        let throttle = makeThrottle()
        for _ in 0..<200 { throttle.cancel(try await begin(throttle)) }
        for _ in 0..<4 { #expect(await fail(throttle) == 0) }
        #expect(await fail(throttle) == 1)
        #expect(throttle.delayCount == 0)
    }

    @Test("accounts are independent, and case does not matter")
    func accounts() async {
        let throttle = makeThrottle()
        while await fail(throttle, "ada@example.com") == 0 {}
        #expect(await fail(throttle, "bob@example.com") == 0)
        #expect(await fail(throttle, "ADA@Example.com") == 1)
    }

    @Test("nine guesses from another address do not lock the owner out")
    func owner() async throws {
        let throttle = makeThrottle()
        for _ in 0..<9 {
            while case let wait = await fail(throttle, peer: "6.6.6.6:1"), wait > 0 { clock.advance(.seconds(wait)) }
        }
        #expect(await fail(throttle, peer: "6.6.6.6:1") > 0)
        for _ in 0..<40 { throttle.succeeded(try await begin(throttle)) }
        #expect(throttle.delayCount == 0)
    }

    @Test("the port does not matter, and of IPv6 the network counts")
    func places() async {
        let throttle = makeThrottle()
        for port in 1...4 { #expect(await fail(throttle, peer: "1.2.3.4:\(port)") == 0) }
        #expect(await fail(throttle, peer: "1.2.3.4:9") == 1)
        #expect(await fail(throttle, peer: "[::ffff:1.2.3.4]:9") == 1)
        for host in 1...4 { #expect(await fail(throttle, peer: "[2001:db8:0:1::\(host)]:1") == 0) }
        #expect(await fail(throttle, peer: "[2001:db8:0:1:ffff:ffff:ffff:ffff]:1") == 1)
        #expect(await fail(throttle, peer: "[2001:db8:0:2::1]:1") == 0)
    }

    @Test("an address has a wide budget of failures, which refills")
    func addresses() async {
        var limits = LoginLimits()
        limits.addressBurst = 10
        limits.addressRate = 2
        let throttle = makeThrottle(limits)
        for index in 0..<10 { #expect(await fail(throttle, "\(index)@example.com", peer: "1.2.3.4:\(index)") == 0) }
        #expect(await fail(throttle, "x@example.com", peer: "1.2.3.4:9999") == 1)
        #expect(await fail(throttle, "x@example.com", peer: "1.2.3.5:9999") == 0)
        clock.advance(.seconds(1))
        #expect(await fail(throttle, "y@example.com") == 0)
        #expect(await fail(throttle, "z@example.com") == 0)
        #expect(await fail(throttle, "w@example.com") == 1)
    }

    @Test("successes cost an address nothing")
    func addressSuccesses() async throws {
        var limits = LoginLimits()
        limits.addressBurst = 5
        let throttle = makeThrottle(limits)
        for index in 0..<100 { throttle.succeeded(try await begin(throttle, "\(index)@example.com")) }
        #expect(await fail(throttle) == 0)
    }

    @Test("memory is bounded, and a flood of other accounts breaks nothing")
    func bounded() async {
        var limits = LoginLimits()
        limits.pairsMax = 64
        limits.accountsMax = 64
        limits.addressBurst = 1e9
        let throttle = makeThrottle(limits)
        for _ in 0..<3 { #expect(await fail(throttle) == 0) }
        for index in 0..<10_000 { _ = await fail(throttle, "\(index)@example.com") }
        // The bound's price: the account's failures may have been forgotten.
        #expect(await fail(throttle, "last@example.com") == 0)
    }

    @Test("an email of any length and any marks costs no more than its bytes")
    func hostileEmails() async throws {
        let throttle = makeThrottle()
        let marks = "a" + String(repeating: "\u{301}\u{323}", count: 100_000)
        let plain = String(repeating: "a", count: marks.utf8.count)
        func time(_ email: String) async throws -> Duration {
            var best = Duration.seconds(3_600)
            for _ in 0..<5 {
                best = min(
                    best, try await ContinuousClock().measure { throttle.cancel(try await begin(throttle, email)) })
            }
            return best
        }
        let (ofPlain, ofMarks) = (try await time(plain), try await time(marks))
        #expect(ofMarks < ofPlain * 10 + .milliseconds(20), "\(ofMarks) against \(ofPlain)")
    }

    @Test("a full table drops its oldest records")
    func table() {
        var table = BoundedTable<Int>(capacity: 8)
        let now = clock.now()
        for key in 0..<8 { table.set(key, of: UInt64(key), evictAt: now + .seconds(10 + key)) }
        table.set(100, of: 3, evictAt: now + .seconds(99))
        #expect(table.record(of: 3, now: now) == 100)
        table.set(8, of: 8, evictAt: now + .seconds(50))
        #expect(table.record(of: 0, now: now) == nil)
        for key in 1..<9 where key != 3 { #expect(table.record(of: UInt64(key), now: now) == key) }
        #expect(table.record(of: 5, now: now + .seconds(15)) == nil)
        table.remove(4)
        #expect(table.record(of: 4, now: now) == nil)
    }
}

@Suite("Address of a login")
struct CallerAddressTests {
    private func address(_ metadata: Metadata, peer: String = "10.0.0.1:5") -> CallerAddress {
        CallerAddress(RequestContext(path: "/user.UserService/Auth", metadata: metadata, peer: peer))
    }

    @Test("the address that the gateway sets; without it the peer's")
    func named() {
        #expect(address(["x-client-address": "192.0.2.7"]) == CallerAddress(peer: "192.0.2.7:1"))
        #expect(address(["x-client-address": "2001:db8::1"]) == CallerAddress(peer: "[2001:db8::2]:1"))
        #expect(address(["x-client-address": "fe80::1%eth0"]) == CallerAddress(peer: "[fe80::1%eth1]:1"))
        #expect(address([:]) == CallerAddress(peer: "10.0.0.1:9"))
    }

    @Test(
        "an invalid address is ignored",
        arguments: ["", "unknown", "192.0.2.7, 6.6.6.6", "192.0.2.7:80", String(repeating: "1", count: 1_000)])
    func noAddress(_ text: String) {
        #expect(address(["x-client-address": text]) == CallerAddress(peer: "10.0.0.1:9"))
    }
}
