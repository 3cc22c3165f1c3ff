import JWTKit

/// What a token says, by the names that it has on the wire (RFC 7519, section 4.1).
struct TokenClaims: JWTPayload {
    static let issuer = "shippy.user"
    static let lifetimeSeconds: Int64 = 72 * 3600

    /// Who the user is, for services that need more than the id. Holds no password.
    struct User: Codable, Sendable {
        var id: String
        var name: String
        var company: String
        var email: String
    }

    var iss: String
    var sub: String
    /// Seconds since 1970, as all times here.
    var iat: Int64
    var exp: Int64
    var user: User

    init(_ user: StoredUser, issuedAtSeconds: Int64) {
        iss = Self.issuer
        sub = user.id
        iat = issuedAtSeconds
        exp = issuedAtSeconds + Self.lifetimeSeconds
        self.user = User(id: user.id, name: user.name, company: user.company, email: user.email)
    }

    /// All but the time, which ``Tokens`` checks by its own clock.
    func verify(using algorithm: some JWTAlgorithm) throws {
        guard iss == Self.issuer, !sub.isEmpty else { throw UserError.badToken }
    }
}
