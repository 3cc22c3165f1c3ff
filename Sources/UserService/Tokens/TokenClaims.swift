import JWTKit

/// What a token says, by the names that it has on the wire (RFC 7519, section 4.1).
///
/// Our tokens have no `nbf` and no `aud`. In a token that was signed with our secret and has them, they are enforced.
/// `iat` is not compared with the clock: tokens must stay valid when the clock is set back.
struct TokenClaims: JWTPayload {
    static let issuer = "shippy.user"
    /// Audience that a token must name if it names any: this service, which checks tokens.
    static let audience = issuer
    static let lifetimeSeconds: Int64 = 72 * 3600

    /// Who the user is, for services that need more than the id. Holds no password.
    struct User: Codable, Sendable {
        var id: String
        var name: String
        var company: String
        var email: String
        /// Left out where there are none, as in tokens of version 1.
        var roles: [String]?
    }

    var iss: String
    var sub: String
    /// Seconds since 1970, as all times here.
    var iat: Int64
    /// From then on the token is invalid.
    var exp: Int64
    /// Before then the token is invalid; `nil` when it is valid from the beginning.
    var nbf: Int64?
    var user: User

    init(_ user: StoredUser, roles: [String], issuedAtSeconds: Int64) {
        iss = Self.issuer
        sub = user.id
        iat = issuedAtSeconds
        exp = issuedAtSeconds + Self.lifetimeSeconds
        self.user = User(
            id: user.id, name: user.name, company: user.company, email: user.email,
            roles: roles.isEmpty ? nil : roles)
    }

    /// All but the time, which ``Tokens`` checks by its own clock.
    func verify(using algorithm: some JWTAlgorithm) throws {
        guard iss == Self.issuer, !sub.isEmpty else { throw UserError.badToken }
    }
}

extension TokenClaims {
    private enum Names: String, CodingKey {
        case iss, sub, iat, exp, nbf, user
        /// Read only.
        case aud, jti
    }

    /// - Throws: also for a claim of another type than the standard gives it, and for another audience.
    init(from decoder: any Decoder) throws {
        let claims = try decoder.container(keyedBy: Names.self)
        iss = try claims.decode(String.self, forKey: .iss)
        sub = try claims.decode(String.self, forKey: .sub)
        iat = try Self.time(claims, .iat, .down)
        exp = try Self.time(claims, .exp, .down)
        // A claim that is null is present, with a wrong type.
        nbf = claims.contains(.nbf) ? try Self.time(claims, .nbf, .up) : nil
        user = try claims.decode(User.self, forKey: .user)
        if claims.contains(.jti) { _ = try claims.decode(String.self, forKey: .jti) }
        guard claims.contains(.aud) else { return }
        let one = try? claims.decode(String.self, forKey: .aud)
        let audiences = if let one { [one] } else { try claims.decode([String].self, forKey: .aud) }
        guard audiences.contains(Self.audience) else { throw UserError.badToken }
    }

    func encode(to encoder: any Encoder) throws {
        var claims = encoder.container(keyedBy: Names.self)
        try claims.encode(iss, forKey: .iss)
        try claims.encode(sub, forKey: .sub)
        try claims.encode(iat, forKey: .iat)
        try claims.encode(exp, forKey: .exp)
        try claims.encodeIfPresent(nbf, forKey: .nbf)
        try claims.encode(user, forKey: .user)
    }

    /// A NumericDate, which may have a fraction (RFC 7519, section 2). Rounded so that no token is valid for longer
    /// than it says; times out of range are clamped.
    private static func time(
        _ claims: KeyedDecodingContainer<Names>, _ name: Names, _ rounding: FloatingPointRoundingRule
    ) throws -> Int64 {
        let seconds = try claims.decode(Double.self, forKey: name).rounded(rounding)
        if let exact = Int64(exactly: seconds) { return exact }
        return seconds < 0 ? .min : .max
    }
}
