import HTTP
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import APIGateway

@Suite("Whom a request is from") struct ClientAddressTests {
    private func client(_ proxies: String, peer: String, _ forwarded: String...) throws -> NetworkAddress? {
        let proxies = try #require(TrustedProxies(proxies))
        var headers = HTTPFields()
        for value in forwarded { headers.add(name: "X-Forwarded-For", value: value) }
        return proxies.client(peer: try #require(NetworkAddress(peer[...])), headers: headers)
    }

    @Test(
        "addresses with and without ports, of both kinds",
        arguments: [
            ("192.0.2.7", "192.0.2.7:80"), ("2001:db8::1", "[2001:db8::1]:443"), ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8::1", "[2001:db8::1]"),
        ])
    func parses(_ one: String, _ other: String) {
        #expect(NetworkAddress(one[...]) != nil)
        #expect(NetworkAddress(one[...]) == NetworkAddress(other[...]))
    }

    @Test("addresses are written without ports", arguments: ["192.0.2.7", "2001:db8::1", "::1"])
    func text(_ text: String) {
        #expect(NetworkAddress(text[...])?.text == text)
    }

    @Test(
        "what is no address",
        arguments: [
            "", "unknown", "_hidden", "300.1.1.1", "1.2.3.4.5", "example.com:80", "::1::2", "[192.0.2.7]", "[]", "[::1",
            "::1]", "[[::1]]",
        ])
    func refuses(_ text: String) {
        #expect(NetworkAddress(text[...]) == nil)
    }

    @Test("with one proxy in front, the last entry counts, and what strangers write before it does not")
    func one() throws {
        #expect(try client("1", peer: "10.0.0.1:5", "6.6.6.6, 192.0.2.7") == NetworkAddress("192.0.2.7"))
        #expect(try client("1", peer: "10.0.0.1:5", "6.6.6.6", "192.0.2.7") == NetworkAddress("192.0.2.7"))
        #expect(try client("1", peer: "10.0.0.1:5") == NetworkAddress("10.0.0.1"))
        #expect(try client("1", peer: "10.0.0.1:5", "6.6.6.6, nonsense") == NetworkAddress("10.0.0.1"))
        #expect(try client("1", peer: "10.0.0.1:5", "") == NetworkAddress("10.0.0.1"))
        // Some proxies put IPv6 into brackets, with a port or without.
        #expect(try client("1", peer: "10.0.0.1:5", "[2001:db8::1]") == NetworkAddress("2001:db8::1"))
    }

    @Test("with two in a row, the last entry but one")
    func two() throws {
        #expect(try client("2", peer: "10.0.0.1:5", "6.6.6.6, 192.0.2.7 ,10.0.0.2") == NetworkAddress("192.0.2.7"))
        #expect(try client("2", peer: "10.0.0.1:5", "10.0.0.2") == NetworkAddress("10.0.0.2"))
    }

    @Test("proxies by address: the rightmost that is none of them")
    func ranges() throws {
        let proxies = "10.0.0.0/8, fd00::/8,203.0.113.9"
        #expect(try client(proxies, peer: "10.0.0.1:5", "6.6.6.6, 192.0.2.7, fd00::9") == NetworkAddress("192.0.2.7"))
        #expect(try client(proxies, peer: "[fd12::1]:5", "192.0.2.7, 203.0.113.9") == NetworkAddress("192.0.2.7"))
        // A stranger who comes directly is who he is, whatever he claims.
        #expect(try client(proxies, peer: "198.51.100.1:5", "192.0.2.7") == NetworkAddress("198.51.100.1"))
        #expect(try client(proxies, peer: "10.0.0.1:5", "10.2.2.2, 10.3.3.3") == NetworkAddress("10.2.2.2"))
    }

    @Test(
        "settings that make no sense",
        arguments: [
            "0", "17", "-1", "ten", "10.0.0.0/33", "10.0.0.0:80/8", "10.0.0.1:80", "10.0.0.0/", "fd00::/129",
            "10.0.0.1,",
        ])
    func settings(_ text: String) {
        #expect(TrustedProxies(text) == nil)
    }

    @Test("of IPv6 the network counts, of IPv4 the address")
    func callers() {
        #expect(NetworkAddress("2001:db8::1")?.caller == NetworkAddress("2001:db8::ffff:2")?.caller)
        #expect(NetworkAddress("2001:db8::1")?.caller != NetworkAddress("2001:db8:0:1::1")?.caller)
        #expect(NetworkAddress("192.0.2.7")?.caller != NetworkAddress("192.0.2.8")?.caller)
    }
}

/// A clock that stands until it is told to go on, so that a slow machine lets no more in than a fast one.
final class StoppedTime: Sendable {
    private let time = NIOLockedValueBox(NIODeadline.uptimeNanoseconds(1_000_000_000_000))

    var now: NIODeadline { time.withLockedValue { $0 } }

    func advance(_ amount: TimeAmount) {
        time.withLockedValue { $0 = $0 + amount }
    }
}

@Suite("Requests of one address") struct RateLimiterTests {
    private let time = StoppedTime()

    private func request(_ peer: String) -> HTTPRequest { HTTPRequest(method: .POST, path: "/rpc", peer: peer) }

    @Test("twice the rate at once, then as many as the rate says, each address for itself")
    func rate() {
        let limiter = RateLimiter(rate: 10, proxies: nil, clock: { time.now })
        let burst = (0..<50).count { port in limiter.limit(request("192.0.2.7:\(port)")) == nil }
        #expect(burst == 20)
        #expect(limiter.limit(request("192.0.2.7:1")) == 1)
        #expect(limiter.limit(request("192.0.2.8:1")) == nil)
        time.advance(.milliseconds(500))
        let later = (0..<50).count { _ in limiter.limit(request("192.0.2.7:1")) == nil }
        #expect(later == 5)
        #expect(limiter.limitedCount == 30 + 1 + 45)
    }

    @Test("one request in a second: the answer says when the next may come")
    func slow() {
        let limiter = RateLimiter(rate: 1, proxies: nil, clock: { time.now })
        #expect(limiter.limit(request("192.0.2.7:1")) == nil)
        #expect(limiter.limit(request("192.0.2.7:1")) == nil)
        #expect(limiter.limit(request("192.0.2.7:1")) == 1)
        time.advance(.milliseconds(1_001))
        #expect(limiter.limit(request("192.0.2.7:1")) == nil)
    }

    @Test("any number of addresses take the same memory, and the busy one is not forgotten for idle ones")
    func bounded() {
        var buckets = AddressBuckets(capacity: 64)
        for _ in 0..<20 { _ = buckets.take(1, now: 0, interval: 100, credit: 2_000) }
        #expect(buckets.take(1, now: 0, interval: 100, credit: 2_000) != nil)
        for key in 2..<100_000 { _ = buckets.take(UInt64(key), now: 0, interval: 100, credit: 2_000) }
        #expect(buckets.take(1, now: 0, interval: 100, credit: 2_000) != nil)
    }
}
