/// Whom a login claims to be, and from where. Hashes that strangers can't foresee; see ``BoundedTable``.
struct LoginKeys: Sendable {
    /// The account, from the address.
    var pair: UInt64
    var account: UInt64
    var address: UInt64
}

enum LoginDecision: Sendable, Equatable {
    /// It counts from now on, and may be compared after so long.
    case begin(after: Duration)
    /// It has to wait for those that are under way.
    case wait
    /// It may come again after so long.
    case reject(Duration)
}

enum LoginOutcome: Sendable {
    case succeeded
    case failed
    /// Nothing was compared.
    case cancelled
}

/// What is known of logins that failed or are under way, and what follows for the next one; without locks, tasks and clocks.
///
/// A login counts as failed from the moment that it may be compared: guesses that come together can't all be compared before
/// the first of them has failed.
struct LoginThrottleState<Waiter> {
    private struct Pair {
        var failures = 0
        var waitsUntil: ContinuousClock.Instant
    }

    /// The logins of one account from one address that have not ended. There are as many lines as calls at most.
    private struct Line {
        var underWay = 0
        /// The first comes first.
        var waiters: [(ticket: Int, waiter: Waiter)] = []
    }

    private let limits: LoginLimits
    private var pairs: BoundedTable<Pair>
    private var accounts: FailureBudget
    private var addresses: FailureBudget
    private var lines: [UInt64: Line] = [:]
    private var lastTicket = 0
    /// Logins in lines, and those that are held back.
    private(set) var waiting = 0

    init(_ limits: LoginLimits) {
        self.limits = limits
        pairs = BoundedTable(capacity: limits.pairsMax)
        accounts = FailureBudget(rate: limits.accountRate, capacity: limits.accountsMax)
        addresses = FailureBudget(rate: limits.addressRate, capacity: limits.addressesMax)
    }

    /// What becomes of a login. What may begin is counted, and has to be ended.
    mutating func begin(_ keys: LoginKeys, now: ContinuousClock.Instant) -> LoginDecision {
        let pair = pairs.record(of: keys.pair, now: now) ?? Pair(waitsUntil: now)
        if pair.waitsUntil > now { return .reject(pair.waitsUntil - now) }
        let line = lines[keys.pair] ?? Line()
        let atOnce = limits.atOnce(after: pair.failures, isOverBudget: isOverBudget(keys.account, now))
        guard line.underWay < atOnce else {
            let hasRoom = line.waiters.count < limits.lineMax && waiting < limits.waitingMax
            return hasRoom ? .wait : .reject(limits.waitFirst)
        }
        if addresses.failures(of: keys.address, now: now) >= limits.addressBurst { return .reject(limits.addressWait) }
        addresses.add(1, to: keys.address, now: now)
        accounts.add(1, to: keys.account, now: now)
        lines[keys.pair, default: Line()].underWay += 1
        let excess = accounts.failures(of: keys.account, now: now) - limits.accountBurst
        return .begin(after: waiting < limits.waitingMax ? limits.delay(excess: excess) : .zero)
    }

    /// Ends a login that may have begun.
    ///
    /// - Returns: those that waited for it and whose turn it is, or who were in vain.
    mutating func end(
        _ keys: LoginKeys, _ outcome: LoginOutcome, now: ContinuousClock.Instant
    ) -> [(waiter: Waiter, decision: LoginDecision)] {
        lines[keys.pair]?.underWay -= 1
        switch outcome {
        case .succeeded:
            pairs.remove(keys.pair)
            forgive(keys, now)
        case .failed: noteFailure(keys, now)
        case .cancelled: forgive(keys, now)
        }
        return advance(keys, now)
    }

    private mutating func noteFailure(_ keys: LoginKeys, _ now: ContinuousClock.Instant) {
        var pair = pairs.record(of: keys.pair, now: now) ?? Pair(waitsUntil: now)
        pair.failures += 1
        pair.waitsUntil = now + limits.wait(after: pair.failures, isOverBudget: isOverBudget(keys.account, now))
        pairs.set(pair, of: keys.pair, forgetAt: now + limits.forgetAfter)
    }

    private mutating func forgive(_ keys: LoginKeys, _ now: ContinuousClock.Instant) {
        accounts.add(-1, to: keys.account, now: now)
        addresses.add(-1, to: keys.address, now: now)
    }

    private func isOverBudget(_ account: UInt64, _ now: ContinuousClock.Instant) -> Bool {
        accounts.failures(of: account, now: now) >= limits.accountBurst
    }

    // MARK: Lines

    /// Puts a login in line that was told to wait.
    ///
    /// - Returns: what ``leave(_:_:)`` finds it by.
    mutating func wait(_ keys: LoginKeys, _ waiter: Waiter) -> Int {
        lastTicket += 1
        lines[keys.pair, default: Line()].waiters.append((lastTicket, waiter))
        waiting += 1
        return lastTicket
    }

    /// Takes a login out of its line; `nil` when its turn has come.
    mutating func leave(_ keys: LoginKeys, _ ticket: Int) -> Waiter? {
        guard let index = lines[keys.pair]?.waiters.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        waiting -= 1
        return lines[keys.pair]?.waiters.remove(at: index).waiter
    }

    private mutating func advance(
        _ keys: LoginKeys, _ now: ContinuousClock.Instant
    ) -> [(waiter: Waiter, decision: LoginDecision)] {
        var decided: [(waiter: Waiter, decision: LoginDecision)] = []
        while let first = lines[keys.pair]?.waiters.first {
            // Its own place is free for what is decided about it.
            lines[keys.pair]?.waiters.removeFirst()
            let decision = begin(keys, now: now)
            guard decision != .wait else {
                lines[keys.pair]?.waiters.insert(first, at: 0)
                break
            }
            waiting -= 1
            decided.append((first.waiter, decision))
        }
        if let line = lines[keys.pair], line.underWay == 0, line.waiters.isEmpty { lines[keys.pair] = nil }
        return decided
    }

    // MARK: Delays

    mutating func beginDelay() { waiting += 1 }
    mutating func endDelay() { waiting -= 1 }
}
