import RPC
import SwiftProtobuf

/// What a token says, by the names that it has on the wire (RFC 7519, section 4.1).
///
/// Our tokens have no `nbf` and no `aud`. In a token that was signed with our secret and has them, they are enforced.
/// `iat` is not compared with the clock: tokens must stay valid when the clock is set back.
struct TokenClaims: Sendable, Equatable {
    static let issuer = "shippy.user"
    /// Audience that a token must name if it names any: this service, which checks tokens.
    static let audience = issuer
    static let lifetimeSeconds: Int64 = 72 * 3600

    /// Who the user is, for services that need more than the id. Holds no password.
    struct User: Sendable, Equatable {
        var id: String
        var name: String
        var company: String
        var email: String
        /// Left out where there are none, as in tokens of version 1.
        var roles: [String]
    }

    var sub: String
    /// Seconds since 1970, as all times here.
    var iat: Int64
    /// From then on the token is invalid.
    var exp: Int64
    /// Before then the token is invalid; `nil` when it is valid from the beginning.
    var nbf: Int64?
    var user: User

    init(_ user: StoredUser, roles: [String], issuedAtSeconds: Int64) {
        sub = user.id
        iat = issuedAtSeconds
        exp = issuedAtSeconds + Self.lifetimeSeconds
        self.user = User(id: user.id, name: user.name, company: user.company, email: user.email, roles: roles)
    }

    /// All but the times, which ``Tokens`` compares with its clock.
    ///
    /// - Returns: `nil` for claims of another issuer or audience, or of another type than the standard gives them.
    init?(_ claims: Google_Protobuf_Struct) {
        guard let iss = claims.text("iss"), iss.hasSameBytes(as: Self.issuer),
            let sub = claims.text("sub"), !sub.isEmpty,
            let iat = Self.time(claims, "iat", .down), let exp = Self.time(claims, "exp", .down),
            let user = User(claims)
        else { return nil }
        self.sub = sub
        self.iat = iat
        self.exp = exp
        self.user = user
        // A claim that is null is present, with a wrong type.
        if claims.fields["nbf"] != nil {
            guard let nbf = Self.time(claims, "nbf", .up) else { return nil }
            self.nbf = nbf
        }
        if claims.fields["jti"] != nil, claims.text("jti") == nil { return nil }
        if claims.fields["aud"] != nil {
            let audiences = claims.text("aud").map { [$0] } ?? claims.texts("aud") ?? []
            guard audiences.contains(where: { $0.hasSameBytes(as: Self.audience) }) else { return nil }
        }
    }

    /// A NumericDate, which may have a fraction (RFC 7519, section 2). Rounded so that no token is valid for longer
    /// than it says; times out of range are clamped.
    private static func time(
        _ claims: Google_Protobuf_Struct, _ name: String, _ rounding: FloatingPointRoundingRule
    ) -> Int64? {
        guard case .numberValue(let number)? = claims.fields[name]?.kind, !number.isNaN else { return nil }
        let seconds = number.rounded(rounding)
        if let exact = Int64(exactly: seconds) { return exact }
        return seconds < 0 ? .min : .max
    }

    /// As a token holds them.
    var fields: Google_Protobuf_Struct {
        var claims = Google_Protobuf_Struct()
        claims.fields["iss"] = .init(stringValue: Self.issuer)
        claims.fields["sub"] = .init(stringValue: sub)
        claims.fields["iat"] = .init(numberValue: Double(iat))
        claims.fields["exp"] = .init(numberValue: Double(exp))
        if let nbf { claims.fields["nbf"] = .init(numberValue: Double(nbf)) }
        claims.fields["user"] = .init(structValue: user.fields)
        return claims
    }
}

extension TokenClaims.User {
    fileprivate init?(_ claims: Google_Protobuf_Struct) {
        guard case .structValue(let user)? = claims.fields["user"]?.kind,
            let id = user.text("id"), let name = user.text("name"), let company = user.text("company"),
            let email = user.text("email")
        else { return nil }
        self.init(id: id, name: name, company: company, email: email, roles: [])
        switch user.fields["roles"]?.kind {
        case nil, .nullValue: break
        default:
            guard let roles = user.texts("roles") else { return nil }
            self.roles = roles
        }
    }

    fileprivate var fields: Google_Protobuf_Struct {
        var user = Google_Protobuf_Struct()
        user.fields["id"] = .init(stringValue: id)
        user.fields["name"] = .init(stringValue: name)
        user.fields["company"] = .init(stringValue: company)
        user.fields["email"] = .init(stringValue: email)
        if !roles.isEmpty {
            var list = Google_Protobuf_ListValue()
            list.values = roles.map { .init(stringValue: $0) }
            user.fields["roles"] = .init(listValue: list)
        }
        return user
    }
}
