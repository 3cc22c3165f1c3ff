import JWTKit
import RPC

/// Makes tokens and checks them: JWT, HS256 only, by jwt-kit.
final class Tokens: Sendable {
    /// Longer texts are refused unread. A token of ours has at most about 3 KiB.
    static let tokenBytesMax = 8 * 1024
    /// Longest header of a token, encoded, in bytes. Ours has 36.
    private static let headerBytesMax = 512

    private let current: JWTKeyCollection
    private let previous: JWTKeyCollection?
    private let known = KnownTokens()
    /// The users whose tokens get the operator's role.
    let operators: Operators
    private let nowSeconds: @Sendable () -> Int64

    /// - Parameter nowSeconds: the time of day, since 1970 in UTC.
    init(
        _ secrets: TokenSecrets, operators: Operators = Operators(), nowSeconds: @escaping @Sendable () -> Int64
    ) async {
        self.operators = operators
        current = await Self.keys(secrets.current)
        previous = if let previous = secrets.previous { await Self.keys(previous) } else { nil }
        self.nowSeconds = nowSeconds
    }

    private static func keys(_ secret: String) async -> JWTKeyCollection {
        let keys = JWTKeyCollection()
        await keys.add(
            hmac: HMACKey(from: secret), digestAlgorithm: .sha256, parser: PinnedParser(),
            serializer: PinnedParser.stableSerializer)
        return keys
    }

    /// A token for `user`; the same text for the same user and time.
    ///
    /// - Parameter issuedAtSeconds: since 1970; it ends ``TokenClaims/lifetimeSeconds`` later. `nil` is now.
    func sign(_ user: StoredUser, issuedAtSeconds: Int64? = nil) async throws -> String {
        try await current.sign(
            TokenClaims(
                user, roles: operators.roles(of: user.id), issuedAtSeconds: issuedAtSeconds ?? nowSeconds()))
    }

    /// - Throws: ``UserError/badToken``, whatever is wrong.
    func check(_ token: String) async throws(UserError) {
        guard !token.isEmpty, token.utf8.count <= Self.tokenBytesMax, Self.isReadable(token) else { throw .badToken }
        let now = nowSeconds()
        let name = KnownTokens.name(of: token)
        if known.contains(name, nowSeconds: now) { return }
        guard let claims = await claims(of: token), claims.exp > now, claims.nbf ?? now <= now else { throw .badToken }
        known.insert(name, expiresAtSeconds: claims.exp)
    }

    /// Whether jwt-kit may parse a token's header, which it does before it verifies the signature: a few bytes of
    /// Base64url (RFC 7515 section 3.1). A longer one could hold names that take long to hash.
    private static func isReadable(_ token: String) -> Bool {
        let header = token.utf8.prefix { $0 != UInt8(ascii: ".") }
        return header.count <= headerBytesMax && token.isPrintableASCII
    }

    /// What a token says whose signature one of the secrets made; `nil` for any other.
    private func claims(of token: String) async -> TokenClaims? {
        let bytes = Array(token.utf8)
        if let claims = try? await current.verify(bytes, as: TokenClaims.self) { return claims }
        return try? await previous?.verify(bytes, as: TokenClaims.self)
    }
}
