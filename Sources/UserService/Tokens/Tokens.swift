/// Makes tokens and checks them: JWT, HS256 only.
final class Tokens: Sendable {
    /// Longer texts are invalid, and not read. A token of ours has at most about 3 KiB.
    static let tokenBytesMax = 8 * 1024

    private let current: [UInt8]
    private let previous: [UInt8]?
    private let verified = VerifiedTokenCache()
    /// The users whose tokens get the operator's role.
    let operators: Operators
    private let nowSeconds: @Sendable () -> Int64

    /// - Parameter nowSeconds: the time of day, since 1970 in UTC.
    init(
        _ secrets: TokenSecrets, operators: Operators = Operators(), nowSeconds: @escaping @Sendable () -> Int64
    ) {
        self.operators = operators
        current = Array(secrets.current.utf8)
        previous = secrets.previous.map { Array($0.utf8) }
        self.nowSeconds = nowSeconds
    }

    /// A token for `user`; the same text for the same user and time.
    ///
    /// - Parameter issuedAtSeconds: since 1970; it ends ``TokenClaims/lifetimeSeconds`` later. `nil` is now.
    func sign(_ user: StoredUser, issuedAtSeconds: Int64? = nil) -> String {
        let claims = TokenClaims(
            user, roles: operators.roles(of: user.id), issuedAtSeconds: issuedAtSeconds ?? nowSeconds())
        return JSONWebToken.sign(claims.json, key: current)
    }

    /// - Throws: ``UserError/badToken``, whatever is wrong.
    func check(_ token: String) throws(UserError) {
        guard !token.isEmpty, token.utf8.count <= Self.tokenBytesMax else { throw .badToken }
        let now = nowSeconds()
        let digest = VerifiedTokenCache.digest(of: token)
        if verified.contains(digest, nowSeconds: now) { return }
        guard let claims = claims(of: token), claims.exp > now, claims.nbf ?? now <= now else { throw .badToken }
        verified.insert(digest, expiresAtSeconds: claims.exp)
    }

    /// What a token says whose signature one of the secrets made; `nil` for any other.
    private func claims(of token: String) -> TokenClaims? {
        let bytes = Array(token.utf8)
        let claims =
            JSONWebToken.claims(of: bytes, key: current)
            ?? previous.flatMap { JSONWebToken.claims(of: bytes, key: $0) }
        return claims.flatMap { TokenClaims($0) }
    }
}
