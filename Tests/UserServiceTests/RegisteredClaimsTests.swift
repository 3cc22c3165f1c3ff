import JWTKit
import Testing

@testable import UserService

/// Claims and header parameters with a meaning in RFC 7519 and RFC 7515, in tokens that are signed with our secret.
@Suite("Registered claims", .timeLimit(.minutes(10)))
struct RegisteredClaimsTests {
    private static let now: Int64 = 1_767_225_600
    typealias Value = ForgedClaims.Value

    private func isAccepted(
        _ claims: [String: Value], header: JWTHeader = JWTHeader(), at seconds: Int64 = now
    ) async throws -> Bool {
        let all: [String: Value] = [
            "iss": .text("shippy.user"), "sub": .text("u1"), "iat": .number(Self.now), "exp": .number(Self.now + 60),
            "user": .user,
        ]
        let keys = await JWTKeyCollection().add(
            hmac: HMACKey(from: ServiceFixture.secret), digestAlgorithm: .sha256)
        let token = try await keys.sign(ForgedClaims(fields: all.merging(claims) { $1 }), header: header)
        let tokens = Tokens(TokenSecrets(current: ServiceFixture.secret)) { seconds }
        // The second time it may be cached.
        for _ in 0..<2 {
            do throws(UserError) { try tokens.check(token) } catch {
                #expect(error == .badToken)
                return false
            }
        }
        return true
    }

    @Test("a token is invalid before its nbf, and valid from then on")
    func notBefore() async throws {
        let inAnHour = ["nbf": Value.number(Self.now + 3_600), "exp": .number(Self.now + 7_200)]
        #expect(try await !isAccepted(inAnHour))
        #expect(try await !isAccepted(inAnHour, at: Self.now + 3_599))
        #expect(try await isAccepted(inAnHour, at: Self.now + 3_600))
        #expect(try await isAccepted(["nbf": .number(Self.now)]))
        #expect(try await isAccepted(["nbf": .real(Double(Self.now) - 0.5)]))
        #expect(try await !isAccepted(["nbf": .real(Double(Self.now) + 0.5)]))
        for wrong in [Value.text("\(Self.now - 60)"), .null, .list([]), .user, .real(1e300)] {
            #expect(try await !isAccepted(["nbf": wrong]), "\(wrong)")
        }
    }

    @Test("a token for another audience is rejected; one that names us among others is accepted")
    func audience() async throws {
        for ours in [Value.text("shippy.user"), .list(["other", "shippy.user"])] {
            #expect(try await isAccepted(["aud": ours]), "\(ours)")
        }
        let others: [Value] = [
            .text("other"), .text(""), .text("shippy.users"), .list(["other"]), .list([]), .null, .number(1), .user,
        ]
        for other in others { #expect(try await !isAccepted(["aud": other]), "\(other)") }
    }

    @Test("times may have fractions, and no token is valid for longer than it says")
    func fractions() async throws {
        let end = ["exp": Value.real(Double(Self.now) + 10.5)]
        #expect(try await isAccepted(end))
        #expect(try await isAccepted(end, at: Self.now + 9))
        #expect(try await !isAccepted(end, at: Self.now + 11))
        #expect(try await isAccepted(["iat": .real(Double(Self.now) - 0.25)]))
        #expect(try await isAccepted(["exp": .real(1e300)]))
        #expect(try await !isAccepted(["exp": .real(-1e300)]))
        for name in ["exp", "iat"] {
            for wrong in [Value.text("\(Self.now + 60)"), .null, .list([]), .user] {
                #expect(try await !isAccepted([name: wrong]), "\(name) \(wrong)")
            }
        }
    }

    @Test("a token from a time that the clock has not reached again is valid")
    func clockSetBack() async throws {
        #expect(try await isAccepted(["iat": .number(Self.now)], at: Self.now - 3_600))
    }

    @Test("an issuer, a subject or an id of another type is rejected, and unknown claims are ignored")
    func others() async throws {
        for name in ["iss", "sub", "jti"] {
            for wrong in [Value.number(1), .null, .list(["shippy.user"])] {
                #expect(try await !isAccepted([name: wrong]), "\(name) \(wrong)")
            }
        }
        #expect(try await isAccepted(["jti": .text("1"), "scope": .list([]), "azp": .null]))
    }

    @Test("a header that names another kind of token, a nested one, or critical extensions is rejected")
    func headers() async throws {
        func isAccepted(_ name: String, _ value: JWTHeaderField) async throws -> Bool {
            var header = JWTHeader()
            header.fields[name] = value
            return try await self.isAccepted([:], header: header)
        }
        for type in ["JWT", "jwt", "application/jwt"] { #expect(try await isAccepted("typ", .string(type)), "\(type)") }
        for type in ["at+jwt", "JOSE", "", "JWE"] { #expect(try await !isAccepted("typ", .string(type)), "\(type)") }
        #expect(try await !isAccepted("cty", .string("JWT")))
        #expect(try await !isAccepted("crit", .array([.string("exp")])))
        #expect(try await isAccepted("kid", .string("any")))
    }
}
