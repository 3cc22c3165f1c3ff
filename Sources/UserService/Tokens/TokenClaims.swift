import RPC
import Runtime
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
            let iat = claims.time("iat", .down), let exp = claims.time("exp", .down),
            let user = User(claims)
        else { return nil }
        self.sub = sub
        self.iat = iat
        self.exp = exp
        self.user = user
        // A claim that is null is present, with a wrong type.
        if claims.fields["nbf"] != nil {
            guard let nbf = claims.time("nbf", .up) else { return nil }
            self.nbf = nbf
        }
        if claims.fields["jti"] != nil, claims.text("jti") == nil { return nil }
        if claims.fields["aud"] != nil {
            let audiences = claims.text("aud").map { [$0] } ?? claims.texts("aud") ?? []
            guard audiences.contains(where: { $0.hasSameBytes(as: Self.audience) }) else { return nil }
        }
    }

    /// As a token holds them: the same text every time, so that a repeated call gets the very token of the first.
    var json: [UInt8] {
        var text = Array(#"{"exp":\#(exp),"iat":\#(iat),"iss":"#.utf8)
        JSONText.appendWhole(Self.issuer, to: &text)
        if let nbf { text += #","nbf":\#(nbf)"#.utf8 }
        text += #","sub":"#.utf8
        JSONText.appendWhole(sub, to: &text)
        text += #","user":"#.utf8
        user.appendJSON(to: &text)
        text.append(UInt8(ascii: "}"))
        return text
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

    fileprivate func appendJSON(to text: inout [UInt8]) {
        var mark = UInt8(ascii: "{")
        for (name, value) in [("company", company), ("email", email), ("id", id), ("name", name)] {
            text.append(mark)
            JSONText.appendWhole(name, to: &text)
            text.append(UInt8(ascii: ":"))
            JSONText.appendWhole(value, to: &text)
            mark = UInt8(ascii: ",")
        }
        if !roles.isEmpty {
            text += #","roles":"#.utf8
            var mark = UInt8(ascii: "[")
            for role in roles {
                text.append(mark)
                JSONText.appendWhole(role, to: &text)
                mark = UInt8(ascii: ",")
            }
            text.append(UInt8(ascii: "]"))
        }
        text.append(UInt8(ascii: "}"))
    }
}
