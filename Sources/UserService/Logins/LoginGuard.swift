import RPC
import Storage
import Synchronization

/// Refuses logins that come too soon after failed ones, before anything is looked up or hashed.
///
/// It treats emails that belong to nobody like all others, so that its answers tell nothing. Tries that are under way are
/// bounded too, so that many at once can't slip through. Tries that are refused here do not count: who comes too early
/// does not wait longer. Memory only; each replica counts for itself, and a restart forgets.
final class LoginGuard: Sendable {
    /// A try that was let through, to be ended by one of ``succeeded(_:)``, ``failed(_:)`` and ``withdraw(_:)``.
    struct Attempt: Sendable {
        fileprivate let account: UInt64
        fileprivate let address: UInt64
    }

    private struct Account {
        var failures = 0
        var underWay = 0
        var waitsUntil: ContinuousClock.Instant
    }

    /// Failures of an address that it is not yet forgiven, as of a moment.
    private struct Address {
        var failures: Double
        var at: ContinuousClock.Instant
    }

    private struct State {
        var accounts: BoundedTable<Account>
        var addresses: BoundedTable<Address>
    }

    private let limits: LoginLimits
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state: Monitor<State>
    private let refusals = Atomic(0)

    init(_ limits: LoginLimits = LoginLimits(), now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.limits = limits
        self.now = now
        state = Monitor(
            State(
                accounts: BoundedTable(capacity: limits.accountsMax),
                addresses: BoundedTable(capacity: limits.addressesMax)))
    }

    /// Tries that were refused, for a metric.
    var refusalCount: Int { refusals.load(ordering: .relaxed) }

    /// Begins a try.
    ///
    /// - Parameters:
    ///   - email: whoever logs in claims to be; case does not matter.
    ///   - peer: the caller's address as the server knows it, with or without its port.
    /// - Throws: ``UserError/tooManyTries(seconds:)``.
    func begin(email: String, peer: String) throws(UserError) -> Attempt {
        let attempt = Attempt(account: Self.key(FoldedEmail.of(email)), address: Self.key(Self.host(of: peer)))
        let now = now()
        let wait = state.withLock { begin(attempt, now, &$0) }
        guard let wait else { return attempt }
        refusals.add(1, ordering: .relaxed)
        throw .tooManyTries(seconds: max(1, Int((wait / .seconds(1)).rounded(.up))))
    }

    /// The password was right: the account's failures are forgotten.
    func succeeded(_ attempt: Attempt) {
        end(attempt) { account, now in
            account.failures = 0
            account.waitsUntil = now
        }
    }

    /// The password was wrong.
    func failed(_ attempt: Attempt) {
        end(attempt, forgivesAddress: false) { [limits] account, now in
            account.failures += 1
            account.waitsUntil = now + limits.wait(after: account.failures)
        }
    }

    /// The password was not compared, because something went wrong: the try never was.
    func withdraw(_ attempt: Attempt) {
        end(attempt) { _, _ in }
    }

    private func end(
        _ attempt: Attempt, forgivesAddress: Bool = true, _ change: (inout Account, ContinuousClock.Instant) -> Void
    ) {
        let now = now()
        state.withLock { state in
            if forgivesAddress { forgive(attempt, now, &state) }
            // It may have been forgotten meanwhile.
            var account = state.accounts.record(of: attempt.account, now: now) ?? Account(waitsUntil: now)
            account.underWay = max(0, account.underWay - 1)
            change(&account, now)
            if account.failures == 0, account.underWay == 0 {
                state.accounts.remove(attempt.account)
            } else {
                state.accounts.set(account, of: attempt.account, forgetAt: now + limits.forgetAfter)
            }
        }
    }

    /// - Returns: how long to wait; `nil` when the try may go on, and is then counted.
    private func begin(_ attempt: Attempt, _ now: ContinuousClock.Instant, _ state: inout State) -> Duration? {
        var account = state.accounts.record(of: attempt.account, now: now) ?? Account(waitsUntil: now)
        if account.waitsUntil > now { return account.waitsUntil - now }
        guard account.underWay < limits.atOnce(after: account.failures) else { return limits.waitFirst }
        let failures = failures(of: attempt.address, now, state)
        if failures >= limits.addressBurst { return limits.addressWait }
        set(failures + 1, attempt.address, now, &state)
        account.underWay += 1
        state.accounts.set(account, of: attempt.account, forgetAt: now + limits.forgetAfter)
        return nil
    }

    private func forgive(_ attempt: Attempt, _ now: ContinuousClock.Instant, _ state: inout State) {
        set(max(0, failures(of: attempt.address, now, state) - 1), attempt.address, now, &state)
    }

    private func failures(of address: UInt64, _ now: ContinuousClock.Instant, _ state: State) -> Double {
        guard let known = state.addresses.record(of: address, now: now) else { return 0 }
        return max(0, known.failures - (now - known.at) / .seconds(1) * limits.addressRate)
    }

    private func set(_ failures: Double, _ address: UInt64, _ now: ContinuousClock.Instant, _ state: inout State) {
        // Once all is forgiven there is nothing to remember.
        let forgiven = now + .seconds(failures / limits.addressRate + 1)
        state.addresses.set(Address(failures: failures, at: now), of: address, forgetAt: forgiven)
    }

    /// Swift's hash, whose seed is made anew in each process, so that nobody can look for keys that meet.
    private static func key(_ text: String) -> UInt64 {
        var hasher = Hasher()
        // By bytes: anybody may claim to be any text.
        hasher.combine(ByteKey(text))
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// The peer without its port, which changes with each connection.
    private static func host(of peer: String) -> String {
        guard let colon = peer.utf8.lastIndex(of: UInt8(ascii: ":")) else { return peer }
        return String(peer[..<colon])
    }
}
