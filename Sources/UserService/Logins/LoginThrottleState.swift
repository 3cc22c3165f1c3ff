/// Keys of a login: the account that it claims, and its address. Hashes that attackers can't predict; see
/// ``BoundedTable``.
struct LoginKeys: Sendable {
    /// The pair of account and address.
    var pair: UInt64
    var account: UInt64
    var address: UInt64
}

enum LoginDecision: Sendable, Equatable {
    /// It counts from now on, and may be compared after this delay.
    case begin(after: Duration)
    /// It must wait for logins in progress.
    case wait
    /// It may be retried after this time.
    case reject(Duration)
}

enum LoginOutcome: Sendable {
    case succeeded
    case failed
    /// Nothing was compared.
    case cancelled
}

/// State of logins that failed or are in progress, which decides about the next ones; without locks, tasks and clocks.
///
/// A login counts as failed as soon as it may be compared: guesses that arrive together can't all be compared before
/// the first of them has failed.
struct LoginThrottleState<Waiter> {
    private struct Pair {
        var failures = 0
        var waitsUntil: ContinuousClock.Instant
    }

    /// The logins of one account from one address that have not ended. There are at most as many queues as calls.
    private struct Queue {
        var underWay = 0
        /// Those under way that are delayed.
        var delayed = 0
        /// In order of arrival.
        var waiters: [(ticket: Int, waiter: Waiter)] = []
    }

    private let limits: LoginLimits
    private var pairs: BoundedTable<Pair>
    private var accounts: FailureBudget
    private var addresses: FailureBudget
    private var queues: [UInt64: Queue] = [:]
    private var lastTicket = 0
    /// Logins in queues, and delayed ones.
    private(set) var waiting = 0
    /// Logins that were told a delay that is not over.
    private var delayed = 0

    init(_ limits: LoginLimits) {
        self.limits = limits
        pairs = BoundedTable(capacity: limits.pairsMax)
        accounts = FailureBudget(rate: limits.accountRate, capacity: limits.accountsMax)
        addresses = FailureBudget(rate: limits.addressRate, capacity: limits.addressesMax)
    }

    /// Decides about a login. One that may begin is counted, and must be ended. So must its delay, by
    /// ``endDelay(_:)``.
    mutating func begin(_ keys: LoginKeys, now: ContinuousClock.Instant) -> LoginDecision {
        let pair = pairs.record(of: keys.pair, now: now) ?? Pair(waitsUntil: now)
        if pair.waitsUntil > now { return .reject(pair.waitsUntil - now) }
        let queue = queues[keys.pair] ?? Queue()
        let concurrencyMax = limits.concurrencyMax(after: pair.failures, isOverBudget: isOverBudget(keys.account, now))
        guard queue.underWay < concurrencyMax else {
            // None waits for one that is delayed: both would hold places at the gateway, and leave the hashing idle.
            let hasRoom =
                queue.delayed == 0 && queue.waiters.count < limits.queuedMax && waiting < limits.waitingMax
            return hasRoom ? .wait : .reject(limits.waitFirst)
        }
        if addresses.failures(of: keys.address, now: now) >= limits.addressBurst { return .reject(limits.addressWait) }
        var delay = limits.delay(excess: accounts.failures(of: keys.account, now: now) + 1 - limits.accountBurst)
        if delay > .zero, delayed >= limits.delayedMax {
            if pair.failures > limits.freeFailures { return .reject(limits.waitFirst) }
            delay = .zero
        }
        addresses.add(1, to: keys.address, now: now)
        accounts.add(1, to: keys.account, now: now)
        queues[keys.pair, default: Queue()].underWay += 1
        if delay > .zero {
            queues[keys.pair]?.delayed += 1
            delayed += 1
            waiting += 1
        }
        return .begin(after: delay)
    }

    /// Ends a login that was allowed to begin.
    ///
    /// - Returns: the waiting logins that this decides about: they may begin, or are rejected.
    mutating func end(
        _ keys: LoginKeys, _ outcome: LoginOutcome, now: ContinuousClock.Instant
    ) -> [(waiter: Waiter, decision: LoginDecision)] {
        queues[keys.pair]?.underWay -= 1
        switch outcome {
        case .succeeded:
            pairs.remove(keys.pair)
            refund(keys, now)
        case .failed: recordFailure(keys, now)
        case .cancelled: refund(keys, now)
        }
        return advance(keys, now)
    }

    private mutating func recordFailure(_ keys: LoginKeys, _ now: ContinuousClock.Instant) {
        var pair = pairs.record(of: keys.pair, now: now) ?? Pair(waitsUntil: now)
        pair.failures += 1
        pair.waitsUntil = now + limits.wait(after: pair.failures, isOverBudget: isOverBudget(keys.account, now))
        pairs.set(pair, of: keys.pair, evictAt: now + limits.forgetAfter)
    }

    private mutating func refund(_ keys: LoginKeys, _ now: ContinuousClock.Instant) {
        accounts.add(-1, to: keys.account, now: now)
        addresses.add(-1, to: keys.address, now: now)
    }

    private func isOverBudget(_ account: UInt64, _ now: ContinuousClock.Instant) -> Bool {
        accounts.failures(of: account, now: now) >= limits.accountBurst
    }

    // MARK: Queues

    /// Puts a login that must wait in its queue.
    ///
    /// - Returns: the ticket for ``remove(_:_:)``.
    mutating func wait(_ keys: LoginKeys, _ waiter: Waiter) -> Int {
        lastTicket += 1
        queues[keys.pair, default: Queue()].waiters.append((lastTicket, waiter))
        waiting += 1
        return lastTicket
    }

    /// Removes a login from its queue; `nil` when it is decided already.
    mutating func remove(_ keys: LoginKeys, _ ticket: Int) -> Waiter? {
        guard let index = queues[keys.pair]?.waiters.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        waiting -= 1
        return queues[keys.pair]?.waiters.remove(at: index).waiter
    }

    private mutating func advance(
        _ keys: LoginKeys, _ now: ContinuousClock.Instant
    ) -> [(waiter: Waiter, decision: LoginDecision)] {
        var decided: [(waiter: Waiter, decision: LoginDecision)] = []
        while let first = queues[keys.pair]?.waiters.first {
            // Removed first, so that it does not count against the room in its own queue.
            queues[keys.pair]?.waiters.removeFirst()
            let decision = begin(keys, now: now)
            guard decision != .wait else {
                queues[keys.pair]?.waiters.insert(first, at: 0)
                break
            }
            waiting -= 1
            decided.append((first.waiter, decision))
        }
        if let queue = queues[keys.pair], queue.underWay == 0, queue.waiters.isEmpty { queues[keys.pair] = nil }
        return decided
    }

    /// The delay of a login that was allowed to begin is over, or its caller left. Called before ``end(_:_:now:)``.
    mutating func endDelay(_ keys: LoginKeys) {
        queues[keys.pair]?.delayed -= 1
        delayed -= 1
        waiting -= 1
    }
}
