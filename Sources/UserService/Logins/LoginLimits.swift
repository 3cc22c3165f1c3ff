/// How failed logins slow down the next ones.
///
/// Accounts: the first failures are free, then each doubles the wait, up to half a minute. The cap keeps a stranger who
/// guesses from shutting a person out for long, and still leaves two guesses a minute.
///
/// Addresses: a budget of failures that fills up again. It is wide, because behind the gateway everybody has the
/// gateway's address (no header tells the client's), and one guesser must not cost all others their logins. It is there
/// for an address that drives a large machine to its limits; on a small one the queue for hashing is full before.
struct LoginLimits: Sendable {
    /// Failures of an account that cost nothing: slips of the finger.
    var freeFailures = 3
    /// Logins of one account at the same time while none has failed: programs share accounts. Once one has failed,
    /// those that are left of the free ones, and then one at a time.
    var atOnceMax = 64
    /// The wait after the first failure that is not free, and where too many are under way.
    var waitFirst: Duration = .seconds(1)
    var waitMax: Duration = .seconds(30)
    /// After so long without a failure, an account's are forgotten.
    var forgetAfter: Duration = .seconds(15 * 60)
    /// Accounts that are remembered, about 64 bytes each. Past it those whose failures are oldest go first.
    var accountsMax = 32_768

    /// Failures from one address that it may run up.
    var addressBurst = 1_000.0
    /// Failures that an address is forgiven each second.
    var addressRate = 50.0
    /// How long an address waits that has used its budget up.
    var addressWait: Duration = .seconds(1)
    var addressesMax = 4_096

    /// Tries of an account that may be under way after so many failures.
    func atOnce(after failures: Int) -> Int {
        failures == 0 ? atOnceMax : max(1, freeFailures + 1 - failures)
    }

    /// How long an account waits after so many failures.
    func wait(after failures: Int) -> Duration {
        let counted = failures - freeFailures
        guard counted > 0 else { return .zero }
        // Shifted no further than any cap needs, so that nothing overflows.
        return min(waitMax, waitFirst * (1 << min(counted - 1, 20)))
    }
}
