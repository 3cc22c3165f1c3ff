import Foundation
import JWTKit
import RPC
import Testing

@testable import UserService

@Suite("Tokens", .timeLimit(.minutes(10)))
struct TokensTests {
    private static let now: Int64 = 1_767_225_600
    private static let secret = ServiceFixture.secret
    private static let otherSecret = "another secret of tests, 64 bytes of it, as jwt-kit asks for that."
    private static let person = StoredUser(
        id: "u1", name: "Ada \"Ö\" Lovelace/<x>", company: "Engines", email: "ada@example.com",
        passwordHash: "$2b$10$secret", createdAtMicroseconds: 0)

    private func tokens(
        _ secrets: TokenSecrets = TokenSecrets(current: secret), now: Int64 = now
    ) async -> Tokens {
        Tokens(secrets) { now }
    }

    private func accepts(_ tokens: Tokens, _ token: String) async -> Bool {
        do throws(UserError) {
            try tokens.check(token)
            return true
        } catch {
            #expect(error == .badToken)
            return false
        }
    }

    /// Signs whatever it is told to, by HS256 unless told otherwise.
    private func forge(
        _ claims: ForgedClaims, secret: String = secret, header: JWTHeader = JWTHeader(),
        digest: DigestAlgorithm = .sha256
    ) async throws -> String {
        let keys = await JWTKeyCollection().add(hmac: HMACKey(from: secret), digestAlgorithm: digest)
        return try await keys.sign(claims, header: header)
    }

    private func claims(_ changes: (inout ForgedClaims) -> Void = { _ in }) -> ForgedClaims {
        var claims = ForgedClaims(
            fields: [
                "iss": .text("shippy.user"), "sub": .text("u1"), "iat": .number(Self.now),
                "exp": .number(Self.now + 60),
                "user": .user,
            ])
        changes(&claims)
        return claims
    }

    private func parts(_ token: String) throws -> [[String: Any]] {
        try token.split(separator: ".").prefix(2).map { part -> [String: Any] in
            var text = String(part).replacing("-", with: "+").replacing("_", with: "/")
            while !text.count.isMultiple(of: 4) { text += "=" }
            let data = try #require(Data(base64Encoded: text))
            return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        }
    }

    @Test("a token says who, by whom and until when, 72 hours on, and holds no password")
    func claimsOnTheWire() async throws {
        let token = await tokens().sign(Self.person)
        let parts = try parts(token)
        #expect(parts[0]["alg"] as? String == "HS256" && parts[0]["typ"] as? String == "JWT")
        #expect(Set(parts[1].keys) == ["iss", "sub", "iat", "exp", "user"])
        #expect(parts[1]["iss"] as? String == "shippy.user" && parts[1]["sub"] as? String == "u1")
        #expect(parts[1]["iat"] as? Int64 == Self.now && parts[1]["exp"] as? Int64 == Self.now + 72 * 3600)
        let user = try #require(parts[1]["user"] as? [String: String])
        #expect(
            user == ["id": "u1", "name": Self.person.name, "company": "Engines", "email": "ada@example.com"])
    }

    @Test("the same user and time give the same text; a good token is good until it expires")
    func stable() async throws {
        let first = await tokens().sign(Self.person, issuedAtSeconds: 1_767_000_000)
        #expect(await tokens().sign(Self.person, issuedAtSeconds: 1_767_000_000) == first)
        let lastSecond = await tokens(now: 1_767_000_000 + 72 * 3600 - 1)
        #expect(await accepts(lastSecond, first))
        #expect(await accepts(lastSecond, first))
        let after = await tokens(now: 1_767_000_000 + 72 * 3600)
        #expect(await !accepts(after, first))
    }

    @Test("a token that was good is refused once it has expired, remembered or not")
    func expiresWhileKnown() async throws {
        let clock = TestClock()
        let tokens = Tokens(TokenSecrets(current: Self.secret), nowSeconds: clock.wall.seconds)
        let token = tokens.sign(Self.person)
        #expect(await accepts(tokens, token))
        clock.advance(.seconds(72 * 3600 - 1))
        #expect(await accepts(tokens, token))
        clock.advance(.seconds(1))
        #expect(await !accepts(tokens, token))
    }

    @Test("the forger that the next tests rely on makes good tokens when it is told nothing else")
    func forgerWorks() async throws {
        let token = try await forge(claims())
        #expect(await accepts(tokens(), token))
    }

    @Test("another key is refused; so are other algorithms, with our secret or without")
    func keysAndAlgorithms() async throws {
        let tokens = await tokens()
        #expect(await !accepts(tokens, try forge(claims(), secret: Self.otherSecret)))
        for digest in [DigestAlgorithm.sha384, .sha512] {
            #expect(await !accepts(tokens, try forge(claims(), digest: digest)))
        }
        // The right signature under a header that asks for something else.
        for name in ["none", "None", "NONE", "HS384", "HS512", "RS256", "ES256", "PS256", "hs256", ""] {
            var header = JWTHeader()
            header.alg = name
            #expect(await !accepts(tokens, try forge(claims(), header: header)), "\(name)")
        }
        let elliptic = await JWTKeyCollection().add(ecdsa: ES256PrivateKey())
        #expect(await !accepts(tokens, try elliptic.sign(claims())))
        var critical = JWTHeader()
        critical.crit = ["b64"]
        #expect(await !accepts(tokens, try forge(claims(), header: critical)))
    }

    @Test("a token without a signature is refused, whatever its header says")
    func unsigned() async throws {
        let tokens = await tokens()
        let good = tokens.sign(Self.person)
        let payload = good.split(separator: ".")[1]
        for header in [#"{"alg":"none"}"#, #"{"alg":"none","typ":"JWT"}"#, #"{"alg":"HS256"}"#, "{}", ""] {
            let encoded = Data(header.utf8).base64EncodedString().replacing("=", with: "")
            for signature in ["", "e30", "AAAA"] {
                #expect(await !accepts(tokens, "\(encoded).\(payload).\(signature)"))
            }
            #expect(await !accepts(tokens, "\(encoded).\(payload)"))
        }
    }

    @Test("claims that are missing, expired, of another issuer or of another type are refused")
    func wrongClaims() async throws {
        let tokens = await tokens()
        let wrong: [(inout ForgedClaims) -> Void] = [
            { $0.fields["exp"] = nil }, { $0.fields["exp"] = .number(Self.now) },
            { $0.fields["exp"] = .number(Self.now - 1) },
            { $0.fields["exp"] = .number(.min) }, { $0.fields["exp"] = .text("\(Self.now + 60)") },
            { $0.fields["exp"] = .text("never") }, { $0.fields["iss"] = nil },
            { $0.fields["iss"] = .text("shippy.users") },
            { $0.fields["iss"] = .text("go.micro.srv.user") }, { $0.fields["iss"] = .text("") },
            { $0.fields["sub"] = nil }, { $0.fields["sub"] = .text("") }, { $0.fields["user"] = nil },
            { $0.fields["user"] = .text("u1") }, { $0.fields = [:] },
        ]
        for (index, change) in wrong.enumerated() {
            let token = try await forge(claims(change))
            #expect(await !accepts(tokens, token), "claim \(index)")
        }
    }

    @Test("a token that was cut, changed in any byte or lengthened is refused")
    func cut() async throws {
        let tokens = await tokens()
        let good = tokens.sign(Self.person)
        for length in 0..<good.utf8.count {
            let isAccepted = await accepts(tokens, String(good.prefix(length)))
            #expect(!isAccepted, "cut to \(length)")
        }
        var bytes = Array(good.utf8)
        // The last one too, two bits of which mean nothing.
        for index in bytes.indices {
            let byte = bytes[index]
            bytes[index] = byte == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            let isAccepted = await accepts(tokens, String(decoding: bytes, as: UTF8.self))
            #expect(!isAccepted, "byte \(index)")
            bytes[index] = byte
        }
        for text in [good + ".", good + "." + good, "." + good, good + "x", " " + good, good + "\n", "Bearer " + good] {
            #expect(await !accepts(tokens, text))
        }
    }

    @Test("jwt-kit accepts our tokens, and we accept none that it rejects, however they are mutated")
    func agreesWithReference() async throws {
        struct Claims: JWTPayload {
            var iss: String
            func verify(using algorithm: some JWTAlgorithm) throws {}
        }
        let keys = await JWTKeyCollection().add(hmac: HMACKey(from: Self.secret), digestAlgorithm: .sha256)
        let tokens = await tokens()
        let good = Array(tokens.sign(Self.person).utf8)
        #expect(try await keys.verify(good, as: Claims.self).iss == "shippy.user")
        var random = SystemRandomNumberGenerator()
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+/= \u{0}".utf8)
        var accepted = 0
        for _ in 0..<2_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[index] = alphabet.randomElement(using: &random) ?? 0
                case 1: bytes.remove(at: index)
                case 2: bytes.insert(alphabet.randomElement(using: &random) ?? 0, at: index)
                default: bytes.swapAt(index, Int.random(in: 0..<bytes.count, using: &random))
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            guard await accepts(tokens, text) else { continue }
            accepted += 1
            #expect((try? await keys.verify(bytes, as: Claims.self)) != nil, "\(text)")
            #expect(bytes == good, "\(text)")
        }
        // Now and then a mutation changes nothing, or takes back what it did.
        #expect(accepted < 100)
    }

    @Test("garbage and tokens longer than 8 KiB are refused")
    func garbage() async throws {
        let tokens = await tokens()
        let texts = [
            "", ".", "..", "...", "a.b.c", "\0.\0.\0", "ö.ö.ö", "{}.{}.{}", "e30.e30.e30", "e30.W10.",
            "bnVsbA.bnVsbA.bnVsbA",
            String(repeating: ".", count: 8_000), String(repeating: "A", count: 10_000_000),
        ]
        for text in texts { #expect(await !accepts(tokens, text), "\(text.prefix(20))") }
        let deep = Data(String(repeating: "[", count: 5_000).utf8).base64EncodedString().replacing("=", with: "")
        #expect(await !accepts(tokens, "\(deep).e30.AAAA"))
        let fitting = try await forge(claims { $0.fields["more"] = .text(String(repeating: "x", count: 5_000)) })
        #expect(await accepts(tokens, fitting))
        let long = try await forge(claims { $0.fields["more"] = .text(String(repeating: "x", count: 8_000)) })
        #expect(await !accepts(tokens, long))
    }

    @Test("after a change of secrets the previous one is still accepted, and the new one signs")
    func rotation() async throws {
        let old = await tokens().sign(Self.person)
        let rotated = await tokens(TokenSecrets(current: Self.otherSecret, previous: Self.secret))
        #expect(await accepts(rotated, old))
        let new = rotated.sign(Self.person)
        #expect(await accepts(rotated, new))
        #expect(await !accepts(tokens(), new))
        let later = await tokens(TokenSecrets(current: Self.otherSecret))
        #expect(await accepts(later, new))
        #expect(await !accepts(later, old))
        var none = JWTHeader()
        none.alg = "none"
        #expect(await !accepts(rotated, try forge(claims(), header: none)))
    }

    @Test("verified tokens are cached by digest, in bounded memory, and none past its end")
    func cache() {
        let cache = VerifiedTokenCache()
        let digest = VerifiedTokenCache.digest(of: "token")
        #expect(!cache.contains(digest, nowSeconds: 0))
        cache.insert(digest, expiresAtSeconds: 10)
        #expect(cache.contains(digest, nowSeconds: 9))
        #expect(!cache.contains(digest, nowSeconds: 10))
        #expect(!cache.contains(digest, nowSeconds: 9))
        let digests = (0..<60_000).map { VerifiedTokenCache.digest(of: "\($0)") }
        for digest in digests { cache.insert(digest, expiresAtSeconds: 10) }
        let kept = digests.count { cache.contains($0, nowSeconds: 0) }
        #expect(kept == 16 * 2_048)
    }
}
