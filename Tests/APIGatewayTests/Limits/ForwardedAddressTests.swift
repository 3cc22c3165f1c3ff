import NIOCore
import NIOHTTP1
import RPC
import Testing

@testable import APIGateway

@Suite("The client address that is forwarded", .timeLimit(.minutes(10)))
struct ForwardedAddressTests {
    /// What the service saw of a request with these headers.
    private func seen(_ proxies: TrustedProxies?, _ headers: HTTPHeaders) async throws -> [String] {
        var seen: [String] = []
        try await GatewayFixture.run(configure: { $0.trustedProxies = proxies }) { fixture in
            var all: HTTPHeaders = ["content-type": "application/json"]
            all.add(contentsOf: headers)
            let answer = try await fixture.rpc(
                #"{"service":"user","method":"UserService.Auth","request":{"email":"a@b.cd"}}"#, headers: all)
            #expect(answer.status == 200)
            seen = fixture.services.seen.withLockedValue { $0.metadata }.filter { $0.name == "x-client-address" }
                .map(\.value)
        }
        return seen
    }

    @Test("is the peer's, whatever the caller says")
    func peer() async throws {
        let lies: HTTPHeaders = [
            "x-client-address": "6.6.6.6", "X-Client-Address": "7.7.7.7", "x-forwarded-for": "8.8.8.8",
        ]
        #expect(try await seen(nil, lies) == ["127.0.0.1"])
        #expect(try await seen(nil, [:]) == ["127.0.0.1"])
    }

    @Test("is what the proxies say that are believed")
    func proxies() async throws {
        let headers: HTTPHeaders = ["x-client-address": "6.6.6.6", "x-forwarded-for": "8.8.8.8, 192.0.2.7"]
        #expect(try await seen(.count(1), headers) == ["192.0.2.7"])
        #expect(try await seen(.count(1), ["x-forwarded-for": "2001:db8::7"]) == ["2001:db8::7"])
        #expect(try await seen(.count(1), ["x-forwarded-for": "nonsense"]) == ["127.0.0.1"])
        #expect(try await seen(TrustedProxies("10.0.0.0/8"), headers) == ["127.0.0.1"])
    }
}
