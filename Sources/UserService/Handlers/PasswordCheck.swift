import Logging
import RPC
import Runtime

/// Comparison of passwords with stored hashes, throttled by account and address. Every comparison goes through here.
struct PasswordCheck: Sendable {
    let hasher: PasswordHasher
    let throttle: LoginThrottle
    let logger: Logger

    /// Looks a user up and compares the password.
    ///
    /// Email and password decide nothing about time or text: where there is no user, a hash of nobody is compared.
    /// - Parameters:
    /// - find: returns the user; called after the throttle has let the login through.
    /// - Returns: the user when the password is theirs, else `nil`.
    /// - Throws: ``UserError/tooManyTries(seconds:)``, and what `find` and ``PasswordHasher`` throw.
    func user(
        email: String, password: String, _ context: RequestContext, find: () async throws -> StoredUser?
    ) async throws -> StoredUser? {
        let attempt = try await throttle.begin(email: email, from: CallerAddress(context))
        do {
            let user = try await find()
            switch try await hasher.compare(password, with: user?.passwordHash, deadline: context.deadline) {
            case .matches:
                throttle.succeeded(attempt)
                return user
            case .differs:
                throttle.failed(attempt)
                return nil
            case .malformed:
                throttle.failed(attempt)
                logger.error(
                    "what is stored as a user's password hash is none; nobody can log in with it",
                    metadata: ["user": "\(user?.id ?? "")"])
                return nil
            }
        } catch {
            throttle.cancel(attempt)
            throw error
        }
    }
}

extension PasswordCheck {
    /// Registers metrics of hashes, and of logins rejected or delayed because of earlier failures.
    func register(in registry: MetricsRegistry) {
        registry.counter("password_hashes_total", "Times that a password was put through bcrypt.") {
            Double(hasher.runCount)
        }
        registry.counter("login_refusals_total", "Logins throttled because too many had failed before.") {
            Double(throttle.rejectionCount)
        }
        registry.counter(
            "login_delays_total", "Logins held back as many from all addresses had failed for their account."
        ) { Double(throttle.delayCount) }
    }
}
