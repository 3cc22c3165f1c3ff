/// How failed logins slow down the next ones.
///
/// An account from one address: the first failures are free, then each doubles the wait, up to half a minute. Whoever knows
/// somebody's email and guesses from elsewhere does not keep them out.
///
/// An account from all addresses together: a wide budget of failures that fills up again. Past it logins are held back for a
/// moment before they are compared, and no failure of an address is free any more; none is rejected for it, so that the
/// owner gets in from an address that has not failed, however many others guess.
///
/// An address for all accounts: a budget too, as wide as many people behind one address need. It is there for an address that
/// drives a large machine to its limits; on a small one the queue for hashing is full before.
struct LoginLimits: Sendable {
    /// Failures of an account from one address that cost nothing: slips of the finger.
    var freeFailures = 3
    /// The wait after the first failure that is not free.
    var waitFirst: Duration = .seconds(1)
    var waitMax: Duration = .seconds(30)
    /// After so long without a failure, those of an account from one address are forgotten.
    var forgetAfter: Duration = .seconds(15 * 60)
    /// Accounts from one address that are remembered, about 64 bytes each. Past it those whose failures are oldest go first.
    var pairsMax = 32_768
    /// Logins of one account from one address that wait until the ones before them were compared: programs share accounts.
    var lineMax = 60

    /// Failures of an account, whatever the addresses, that it may run up.
    var accountBurst = 100.0
    /// Failures that an account is forgiven each second: two a minute.
    var accountRate = 1.0 / 30
    var accountsMax = 32_768
    /// For so long a login is held back for each failure past the budget.
    var accountDelayStep: Duration = .milliseconds(15)
    /// Short, as a login that is held back has one of the gateway's few places for logins, which others wait for.
    var accountDelayMax: Duration = .milliseconds(300)

    /// Failures from one address that it may run up.
    var addressBurst = 1_000.0
    /// Failures that an address is forgiven each second.
    var addressRate = 50.0
    /// How long an address waits that has used its budget up.
    var addressWait: Duration = .seconds(1)
    var addressesMax = 4_096

    /// Logins of all accounts that wait for others, or are held back, at a time. Past it the first are rejected and the second
    /// are not held back.
    var waitingMax = 4_096

    /// Logins of an account from one address that may be compared at a time, after so many failures. Each counts as a failure
    /// until it is compared.
    func atOnce(after failures: Int, isOverBudget: Bool) -> Int {
        max(1, free(isOverBudget) + 1 - failures)
    }

    /// How long an account waits after so many failures from one address.
    func wait(after failures: Int, isOverBudget: Bool) -> Duration {
        let counted = failures - free(isOverBudget)
        guard counted > 0 else { return .zero }
        // Shifted no further than any cap needs, so that nothing overflows.
        return min(waitMax, waitFirst * (1 << min(counted - 1, 20)))
    }

    /// How long a login is held back.
    ///
    /// - Parameter excess: failures past the account's budget, this login included.
    func delay(excess: Double) -> Duration {
        excess > 0 ? min(accountDelayMax, accountDelayStep * min(excess.rounded(.up), 10_000)) : .zero
    }

    private func free(_ isOverBudget: Bool) -> Int { isOverBudget ? 0 : freeFailures }
}
