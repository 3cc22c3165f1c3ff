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
            case .numberValue(let expiry)? = claims.fields["exp"]?.kind,
            let expiry = Int64(exactly: expiry.rounded(.down))
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
