import Contracts
import RPC

/// Who makes a call.
public struct Caller: Sendable, Equatable {
    /// The user's id; empty where the check is switched off.
    public let userID: String
    /// Whether the token says that the user is an operator, by `OPERATORS` of the user service.
    public let isOperator: Bool

    /// - Parameter userID: empty where the check is switched off.
    public init(userID: String, isOperator: Bool = false) {
        self.userID = userID
        self.isOperator = isOperator
    }

    /// Whose idempotency keys a call uses: those of the user, whichever token comes with it. `nil` without a user: the keys
    /// then belong to the token.
    public var keyScope: String? { userID.isEmpty ? nil : "user \(userID)" }

    /// Any caller where `DISABLE_AUTH=true`; has all rights.
    public static let anybody = Caller(userID: "", isOperator: true)
}

/// Authenticates callers: the user service checks the token that came with a call.
///
/// While the user service can't be reached, only tokens that it verified within the last seconds are accepted.
public final class Authenticator: Sendable {
    /// How long the check may take, where the call itself allows more.
    private static let timeout: Duration = .seconds(5)
    private static let tokenBytesMax = 8 * 1024

    /// `nil` accepts every caller.
    private let users: RPCClient?
    private let cache = VerifiedCallerCache()

    /// - Parameter users: a client of the user service; `nil` accepts every caller.
    public init(users: RPCClient?) {
        self.users = users
    }

    /// Rejects at once, without a call, what can't be a token.
    ///
    /// - Throws: UNAUTHENTICATED.
    public func requireToken(_ context: RequestContext) throws {
        guard users != nil else { return }
        _ = try Self.token(of: context)
    }

    /// The caller of a call.
    ///
    /// - Throws: UNAUTHENTICATED without a good token; UNAVAILABLE, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED and the like
    ///   when the user service can't be asked.
    public func caller(of context: RequestContext) async throws -> Caller {
        guard let users else { return .anybody }
        let token = try Self.token(of: context)
        if let caller = cache.caller(token) { return caller }
        var request = User_Token()
        request.token = token
        let answer: User_Token
        do {
            answer = try await users.call(
                UserMethods.validateToken, request, metadata: context.metadata.propagated,
                deadline: min(context.deadline, .after(Self.timeout)))
        } catch {
            throw Self.status(of: Status(error))
        }
        guard answer.valid, let claims = TokenClaims(token: token) else {
            throw Status(.unauthenticated, "the token is not valid", reason: "BAD_TOKEN")
        }
        let caller = Caller(userID: claims.subject, isOperator: claims.isOperator)
        cache.insert(token, caller, expiry: claims.expiry)
        return caller
    }

    private static func token(of context: RequestContext) throws -> String {
        guard let token = context.metadata.bearerToken, !token.isEmpty else {
            throw Status(.unauthenticated, "a token is needed: authorization: Bearer TOKEN", reason: "NO_TOKEN")
        }
        // A JWT is ASCII. Anything else is rejected without a look-up or a call.
        guard token.utf8.count <= tokenBytesMax, token.isPrintableASCII else {
            throw Status(.unauthenticated, "the token is not valid", reason: "BAD_TOKEN")
        }
        return token
    }

    /// What the caller is told when the check itself failed.
    private static func status(of status: Status) -> Status {
        switch status.code {
        case .unauthenticated, .cancelled, .deadlineExceeded: status
        case .resourceExhausted:
            Status(.resourceExhausted, "the user service is overloaded; try again later", metadata: status.retryAfter)
        case .unavailable: Status(.unavailable, "the user service can't be reached")
        default: Status(.internal, "internal error")
        }
    }
}

extension ServiceRuntime {
    /// Asks the user service about callers; lets everybody in, and says so loudly, where `DISABLE_AUTH=true`.
    ///
    /// - Throws: ``ConfigurationError``.
    public func authenticator() throws(ConfigurationError) -> Authenticator {
        if isAuthenticationDisabled() { return Authenticator(users: nil) }
        return Authenticator(users: try client(of: "user"))
    }

    /// Whether `DISABLE_AUTH` switches the check of tokens off. Logs it when it does.
    public func isAuthenticationDisabled() -> Bool {
        guard configuration.isAuthenticationDisabled else { return false }
        logger.critical("DISABLE_AUTH=true: tokens are not checked, everybody is let in. Never in production")
        return true
    }
}
