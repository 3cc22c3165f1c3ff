import NIOCore
import RPC
import TestSupport
import Testing

@testable import APIGateway

@Suite("The gateway's rejections", .timeLimit(.minutes(10))) struct GatewayRejectionTests {
    private let find =
        #"{"service": "vessel", "method": "VesselService.FindAvailable", "request": {"capacity": 1}}"#

    @Test("too many requests of an address are 429 with Retry-After, and probes are answered all the same")
    func rateLimit() async throws {
        let time = StoppedTime()
        try await GatewayFixture.run(configure: {
            $0.rateLimit = 2
            $0.rateClock = { time.now }
        }) { gateway in
            var answers: [Answer] = []
            for _ in 0..<12 { answers.append(try await gateway.rpc(find)) }
            let limited = answers.filter { $0.status == 429 }
            #expect(answers.map(\.status) == Array(repeating: 200, count: 4) + Array(repeating: 429, count: 8))
            for answer in limited {
                let seconds = try #require(answer.headers["retry-after"].flatMap { Int($0) })
                #expect(seconds >= 1)
                let text = "too many requests from this address; try again in \(seconds) s"
                #expect(try answer.isError(429, id: "shippy.api", text))
                #expect(answer.headers["access-control-allow-origin"] == "*")
            }
            for _ in 0..<20 {
                let health = try await gateway.fetch("GET", "/healthz").status
                #expect(health == 200)
            }
            let ready = try await gateway.fetch("GET", "/readyz").status
            #expect(ready == 200)
            #expect(gateway.gateway.rateLimitedRequests == 8)
            time.advance(.seconds(1))
            for status in [200, 200, 429] {
                let later = try await gateway.rpc(find).status
                #expect(later == status)
            }
        }
    }

    @Test("behind a trusted proxy each caller has a budget of its own")
    func proxies() async throws {
        try await GatewayFixture.run(configure: {
            $0.rateLimit = 1
            $0.trustedProxies = .count(1)
        }) { gateway in
            for caller in 1...20 {
                let answer = try await gateway.rpc(
                    find,
                    headers: ["content-type": "application/json", "x-forwarded-for": "6.6.6.6, 192.0.2.\(caller)"])
                #expect(answer.status == 200)
            }
        }
        let time = StoppedTime()
        try await GatewayFixture.run(configure: {
            $0.rateLimit = 1
            $0.rateClock = { time.now }
        }) { gateway in
            var refused = 0
            for caller in 1...20 {
                let answer = try await gateway.rpc(
                    find, headers: ["content-type": "application/json", "x-forwarded-for": "192.0.2.\(caller)"])
                if answer.status == 429 { refused += 1 }
            }
            #expect(refused == 18, "nobody is believed unless told so")
        }
    }

    @Test("a service's refusal is 429 and says when to come back, whether the service did or not")
    func upstream() async throws {
        try await GatewayFixture.run { gateway in
            let answer = try await gateway.rpc(
                #"{"service": "vessel", "method": "VesselService.Create", "request": {"name": "status 8 too busy"}}"#)
            #expect(try answer.isError(429, id: "shippy.vessel", "too busy"))
            #expect(answer.headers["retry-after"] == "7")
        }
        let silent = GatewayError(Status(.resourceExhausted, "too busy"), service: "vessel")
        #expect(silent.code == 429 && silent.retryAfter == "1")
    }
}
