import RPC
import SwiftProtobuf

extension Caller {
    /// The holder of a token whose signature and times are verified already; `nil` for what is not a token of the user
    /// service.
    package init?(ofGoodToken token: String) {
        guard let claims = TokenClaims(token: token) else { return nil }
        self.init(userID: claims.subject, isOperator: claims.isOperator)
    }
}

/// What a token says of its holder. Read only after the user service said that the token is good.
struct TokenClaims: Equatable {
    /// The user's id.
    var subject: String
    /// Seconds since 1970 in UTC.
    var expiry: Int64
    /// Whether `roles` under `user` name `operator`. Tokens of version 1 have no roles.
    var isOperator = false

    private static let operatorRole = "operator"

    /// - Returns: `nil` for what is no JWT with `sub` and `exp`.
    init?(token: String) {
        let parts = token.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let payload = Base64.decode(parts[1]),
            let claims = try? Google_Protobuf_Struct(jsonUTF8Bytes: payload),
            case .stringValue(let subject)? = claims.fields["sub"]?.kind, !subject.isEmpty,
            let expiry = claims.time("exp", .down)
        else { return nil }
        self.subject = subject
        self.expiry = expiry
        if case .structValue(let user)? = claims.fields["user"]?.kind,
            case .listValue(let roles)? = user.fields["roles"]?.kind
        {
            isOperator = roles.values.contains { $0.stringValue.hasSameBytes(as: Self.operatorRole) }
        }
    }
}

extension Google_Protobuf_Struct {
    /// A time of a token, in seconds since 1970. It may have a fraction (NumericDate: RFC 7519, section 2); one out of range
    /// is clamped.
    ///
    /// Everybody reads times by this, so that no two services disagree about a token.
    /// - Parameter rounding: the way in which the token is valid for no longer than it says.
    /// - Returns: `nil` where the time is missing or no number.
    package func time(_ name: String, _ rounding: FloatingPointRoundingRule) -> Int64? {
        guard case .numberValue(let number)? = fields[name]?.kind, !number.isNaN else { return nil }
        let seconds = number.rounded(rounding)
        return Int64(exactly: seconds) ?? (seconds < 0 ? .min : .max)
    }
}
