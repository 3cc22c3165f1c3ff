import Runtime

/// The keys of tokens. Has no description on purpose.
struct TokenSecrets: Sendable {
    /// As many bytes as the digest has (RFC 7518 section 3.2).
    static let byteCountMin = 32

    /// Signs, and is tried first.
    let current: String
    /// Accepted, never used to sign: the secret before the last change.
    let previous: String?

    init(current: String, previous: String? = nil) {
        self.current = current
        self.previous = previous
    }

    /// - Parameters:
    ///   - secret: `JWT_SECRET`.
    ///   - previous: `JWT_SECRET_PREVIOUS`.
    ///   - embeddedStore: the file of the embedded store, beside which a secret is made and kept where none is set; `nil`
    ///     with a database server, where all replicas must be told the same one. Blocks on that file.
    /// - Throws: `ConfigurationError`, which shows no secret.
    init(_ secret: String?, previous: String?, embeddedStore: String?) throws(ConfigurationError) {
        if let secret {
            current = try Self.checked(secret, "JWT_SECRET")
        } else if let embeddedStore {
            current = try SecretFile(path: embeddedStore + ".jwt-secret").secret()
        } else {
            throw ConfigurationError(
                "JWT_SECRET is not set: tokens need a secret of at least \(Self.byteCountMin) bytes, the same in all replicas"
            )
        }
        self.previous = if let previous { try Self.checked(previous, "JWT_SECRET_PREVIOUS") } else { nil }
    }

    private static func checked(_ secret: String, _ variable: String) throws(ConfigurationError) -> String {
        guard secret.utf8.count >= byteCountMin else {
            throw ConfigurationError(
                "\(variable) has \(secret.utf8.count) bytes; it must have at least \(byteCountMin), such as 'openssl rand -hex 32' gives"
            )
        }
        return secret
    }
}
