import Contracts
import Idempotency
import NIOCore
import RPC
import TestSupport
import Testing

@testable import ConsignmentService
@testable import Runtime

/// Who is let in, and who is not, whatever state the services behind are in.
@Suite(.timeLimit(.minutes(10))) struct CallerTests {
    private static func wasAsked(_ fixture: ConsignmentFixture) -> Int {
        fixture.upstreams.seen.withLockedValue { $0.validations }
    }

    @Test("a call without a token is UNAUTHENTICATED, without a call to another service")
    func noToken() async throws {
        try await ConsignmentFixture.run { fixture in
            #expect(await status { try await fixture.create(token: nil) }.code == .unauthenticated)
            #expect(await status { try await fixture.get(token: nil) }.code == .unauthenticated)
            for metadata in [["token": ""], ["authorization": "Basic dXNlcg=="], ["authorization": "Bearer"]]
                as [Metadata]
            {
                let refused = await status {
                    try await fixture.client.call(
                        ConsignmentMethods.get, .init(), metadata: metadata, deadline: .after(.seconds(20)))
                }
                #expect(refused.code == .unauthenticated, "\(refused)")
            }
            let huge = String(repeating: "x", count: 9_000)
            #expect(await status { try await fixture.get(token: huge) }.code == .unauthenticated)
            #expect(fixture.upstreams.seen.withLockedValue { $0.metadata.isEmpty })
        }
    }

    @Test("a token that the user service refuses lets nobody in, also while no vessel fits or the request is wrong")
    func badToken() async throws {
        try await ConsignmentFixture.run { fixture in
            fixture.upstreams.behaviour.withLockedValue { $0.vessels = Status(.notFound, "none") }
            for token in ["forged", "a.b.c"] {
                #expect(await status { try await fixture.create(token: token) }.code == .unauthenticated)
                let wrong = consignment(weight: 0)
                #expect(await status { try await fixture.create(wrong, token: token) }.code == .unauthenticated)
                #expect(await status { try await fixture.get(token: token) }.code == .unauthenticated)
            }
        }
    }

    /// Methods that send another message type: `text` is not UTF-8 where a text is expected.
    private static func undecodable(_ method: String) -> Method<Vessel_Response, Consignment_Response> {
        Method(service: "consignment.ConsignmentService", name: method)
    }

    private static let text: Vessel_Response = .with { $0.vessels = [.with { $0.capacity = 255 }] }

    @Test("a request is decoded only for a valid token: other callers get UNAUTHENTICATED, whatever they sent")
    func decodedLast() async throws {
        try await ConsignmentFixture.run { fixture in
            var large = Self.text
            large.vessels += Array(repeating: .init(), count: 2_000_000)
            for (token, expected) in [(nil, .unauthenticated), ("forged", .unauthenticated), ("good", .internal)]
                as [(String?, Status.Code)]
            {
                let metadata: Metadata =
                    token.map { ["token": $0 == "good" ? Upstreams.token("user001") : $0] } ?? [:]
                for method in ["Create", "Get"] {
                    for request in [Self.text, large] {
                        let refused = await status {
                            try await fixture.client.call(
                                Self.undecodable(method), request, metadata: metadata, deadline: .after(.seconds(20)))
                        }
                        let isLarge = request.vessels.count > 1
                        #expect(
                            refused.code == (token == "good" && isLarge ? .resourceExhausted : expected),
                            "\(method) with \(token ?? "no") token: \(refused)")
                    }
                }
            }
        }
    }

    @Test("whoever is refused does not wait for the vessel service, whose call is cancelled")
    func refusedEarly() async throws {
        try await ConsignmentFixture.run { fixture in
            fixture.upstreams.behaviour.withLockedValue { $0.vesselsHang = true }
            let refused = await status { try await fixture.create(token: "forged", timeout: .seconds(60)) }
            #expect(refused.code == .unauthenticated)
            let searches = fixture.upstreams.seen.withLockedValue { $0.searches.count }
            try await eventually("the cancellation") {
                fixture.upstreams.seen.withLockedValue { $0.cancelled == searches }
            }
        }
    }

    @Test("a token that was good a moment ago is not asked for again, each caller having one of its own")
    func remembers() async throws {
        try await ConsignmentFixture.run { fixture in
            for _ in 0..<5 { _ = try await fixture.get() }
            #expect(Self.wasAsked(fixture) == 1)
            _ = try await fixture.get(token: Upstreams.token("user002"))
            #expect(Self.wasAsked(fixture) == 2)
        }
    }

    @Test("rejected tokens are not cached")
    func cachesNoRejection() async throws {
        try await ConsignmentFixture.run { fixture in
            fixture.upstreams.behaviour.withLockedValue {
                $0.users = Status(.unauthenticated, "the token is not valid")
            }
            #expect(await status { try await fixture.get() }.code == .unauthenticated)
            fixture.upstreams.behaviour.withLockedValue { $0.users = nil }
            #expect(await status { try await fixture.get() } == .ok)
        }
    }

    @Test("a cached token is evicted after seconds, never outlives its own end, and only so many are kept")
    func cache() {
        let cache = VerifiedCallerCache()
        let now = NIODeadline.now()
        let caller = Caller(userID: "user001")
        cache.insert("a", caller, expiry: 1_000, now: now)
        #expect(cache.caller("a", now: now, wallClock: 999) == caller)
        #expect(cache.caller("a", now: now, wallClock: 1_000) == nil)
        #expect(cache.caller("a", now: now + .milliseconds(4_999), wallClock: 0) == caller)
        #expect(cache.caller("a", now: now + .seconds(5), wallClock: 0) == nil)
        #expect(cache.caller("b", now: now, wallClock: 0) == nil)
        for index in 0..<20_000 { cache.insert("t\(index)", caller, expiry: .max, now: now) }
        #expect(cache.count <= 2 * VerifiedCallerCache.countMax)
        #expect(cache.caller("t19999", now: now) == caller)
    }

    @Test("the user's id and the token's end are read from it; what is no token has neither")
    func claims() throws {
        let claims = try #require(TokenClaims(token: Upstreams.token("üser \u{1F6A2}", expiry: 1_234)))
        #expect(claims.subject == "üser \u{1F6A2}")
        #expect(claims.expiry == 1_234)
        let payloads = ["e30", "eyJzdWIiOiJhIn0", "eyJleHAiOjF9", "!!!!", "", "bnVsbA"]
        for payload in payloads { #expect(TokenClaims(token: "a.\(payload).c") == nil, "\(payload)") }
        for token in ["", "a", "a.b", "a.b.c.d"] { #expect(TokenClaims(token: token) == nil, "\(token)") }
    }

    @Test("a token's end may have a fraction or be out of range, as for the user service")
    func expiries() {
        func expiry(_ text: String) -> Int64? {
            let claims = Base64.encode(Array(#"{"sub":"a","exp":\#(text)}"#.utf8))
            return TokenClaims(token: "a.\(claims).c")?.expiry
        }
        let times: [(String, Int64)] = [("1e300", .max), ("-1e300", .min), ("1234.9", 1_234), ("-0.5", -1)]
        for (text, expected) in times {
            let found = expiry(text)
            #expect(found == expected, "\(text)")
        }
        for text in ["null", "[]", #""1234""#, #""NaN""#] {
            let found = expiry(text)
            #expect(found == nil, "\(text)")
        }
    }

    @Test("with the check switched off every caller is accepted, without a call to the user service")
    func switchedOff() async throws {
        try await ConsignmentFixture.run(isChecked: false) { fixture in
            let first = try await fixture.create(token: nil, key: "k")
            #expect(try await fixture.create(token: nil, key: "k") == first)
            // Where nobody is known, a key belongs to whoever shows the same token.
            #expect(try await fixture.create(token: "x", key: "k") != first)
            #expect(try await fixture.get(token: nil).consignments.count == 2)
            #expect(Self.wasAsked(fixture) == 0)
        }
    }

    @Test("when a service behind fails, the caller hears UNAVAILABLE or nothing of the reason, and is never let in")
    func upstreamFailures() async throws {
        try await ConsignmentFixture.run { fixture in
            for (given, expected) in [
                (.unavailable, .unavailable), (.resourceExhausted, .resourceExhausted), (.internal, .internal),
                (.unimplemented, .internal), (.invalidArgument, .internal), (.permissionDenied, .internal),
            ] as [(Status.Code, Status.Code)] {
                for isUsers in [true, false] {
                    fixture.upstreams.behaviour.withLockedValue {
                        ($0.users, $0.vessels) = (nil, nil)
                        if isUsers {
                            $0.users = Status(given, "secret 10.0.0.1")
                        } else {
                            $0.vessels = Status(given, "secret 10.0.0.1")
                        }
                    }
                    // Each with a token of its own, as good ones are remembered.
                    let token = Upstreams.token("user \(given) \(isUsers)")
                    let refused = await status { try await fixture.create(token: token) }
                    #expect(refused.code == expected, "\(given) of \(isUsers ? "users" : "vessels")")
                    #expect(!refused.message.contains("secret"))
                    if given == .unavailable, !isUsers {
                        #expect(refused.details == [.errorInfo(reason: "VESSEL_SERVICE_UNAVAILABLE")])
                    }
                }
            }
            fixture.upstreams.behaviour.withLockedValue { ($0.users, $0.vessels) = (nil, nil) }
            _ = try await fixture.create()
            let stored = try await fixture.get().consignments.count
            #expect(stored == 1)
        }
    }

    @Test("a service behind that hangs costs the caller no more than its deadline")
    func hanging() async throws {
        try await ConsignmentFixture.run { fixture in
            fixture.upstreams.behaviour.withLockedValue { $0.usersHang = true }
            let users = await status { try await fixture.create(timeout: .milliseconds(300)) }
            #expect(users.code == .deadlineExceeded)
            fixture.upstreams.behaviour.withLockedValue { ($0.usersHang, $0.vesselsHang) = (false, true) }
            let vessels = await status { try await fixture.create(timeout: .milliseconds(300)) }
            #expect(vessels.code == .deadlineExceeded)
            fixture.upstreams.behaviour.withLockedValue { $0.vesselsHang = false }
            let isCreated = try await fixture.create().created
            #expect(isCreated)
        }
    }
}
