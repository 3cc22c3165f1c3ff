/// How failed logins slow down the next ones.
///
/// An account from one address: the first failures are free, then each doubles the wait, up to half a minute. An
/// attacker who knows a user's email and guesses from elsewhere does not lock the user out.
///
/// An account from all addresses together: a wide budget of failures, which refills. Beyond it no failure of an address is
/// free any more, and logins are delayed before they are compared, a few at a time. While these few wait, an address that
/// has failed more often than by typing errors is rejected, and any other is not delayed: the owner gets in, however many
/// others guess, and so do the owners of other accounts. Nor does a login wait for a delayed one of its address.
///
/// An address for all accounts: also a budget, wide enough for many people behind one address. It stops an address that
/// would drive a large machine to its limits; on a small one the queue for hashing is full before.
struct LoginLimits: Sendable {
    /// Failures of an account from one address without a wait: typing errors.
    var freeFailures = 3
    /// Wait after the first failure that is not free.
    var waitFirst: Duration = .seconds(1)
    var waitMax: Duration = .seconds(30)
    /// Time without a failure after which those of an account from one address are forgotten.
    var forgetAfter: Duration = .seconds(15 * 60)
    /// Pairs of account and address that are remembered, about 64 bytes each. Beyond it those with the oldest failures
    /// go first.
    var pairsMax = 32_768
    /// Logins of one account from one address that may wait until earlier ones are compared: programs share accounts.
    var queuedMax = 60

    /// Failures that an account may accumulate, from all addresses.
    var accountBurst = 100.0
    /// Failures of an account that stop counting per second: two a minute.
    var accountRate = 1.0 / 30
    var accountsMax = 32_768
    /// Delay of a login for each failure beyond the budget.
    var accountDelayStep: Duration = .milliseconds(15)
    /// Longest delay. Short, because a delayed login holds one of the gateway's few places for logins, for which others
    /// wait.
    var accountDelayMax: Duration = .milliseconds(300)
    /// Logins of all accounts that are delayed at a time: fewer than the places of any event loop of a gateway, which has
    /// 3, so that logins that are not delayed pass.
    var delayedMax = 2

    /// Failures from one address that it may run up.
    var addressBurst = 1_000.0
    /// Failures of an address that stop counting each second.
    var addressRate = 50.0
    /// How long an address waits that has used its budget up.
    var addressWait: Duration = .seconds(1)
    var addressesMax = 4_096

    /// Logins of all accounts that wait for others, or are delayed, at a time. Beyond it logins that would wait are
    /// rejected.
    var waitingMax = 4_096

    /// Logins of an account from one address that may be compared at a time after so many failures. Each counts as a
    /// failure until it is compared.
    func concurrencyMax(after failures: Int, isOverBudget: Bool) -> Int {
        max(1, free(isOverBudget) + 1 - failures)
    }

    /// Wait of an account after so many failures from one address.
    func wait(after failures: Int, isOverBudget: Bool) -> Duration {
        let counted = failures - free(isOverBudget)
        guard counted > 0 else { return .zero }
        // Shifted no further than any cap needs, so that nothing overflows.
        return min(waitMax, waitFirst * (1 << min(counted - 1, 20)))
    }

    /// Delay of a login before it is compared.
    ///
    /// - Parameter excess: failures beyond the account's budget, this login included.
    func delay(excess: Double) -> Duration {
        excess > 0 ? min(accountDelayMax, accountDelayStep * min(excess.rounded(.up), 10_000)) : .zero
    }

    private func free(_ isOverBudget: Bool) -> Int { isOverBudget ? 0 : freeFailures }
}
