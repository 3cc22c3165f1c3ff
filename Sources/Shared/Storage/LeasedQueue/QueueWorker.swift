import Logging
import RPC
import ServiceLifecycle
import Synchronization

/// Claims what is due in a queue, hands it to a handler, and stores the outcomes. Each replica has one.
///
/// While the store is away it claims nothing, and retries outcomes until they are stored or the program stops.
package final class QueueWorker<Item: Sendable>: Service {
    /// Between tries to store an outcome.
    private static var storeBackoff: Backoff { Backoff(first: .milliseconds(20), longest: .seconds(1)) }

    private struct State {
        var running = 0
        /// Items that are claimed and whose outcome is not stored.
        var held = 0
        /// Leases of items that are done, while others are being stored.
        var done: [Lease] = []
        var isStoringDone = false

        /// What is to be stored together now; nothing while somebody else stores.
        mutating func takeDone() -> [Lease] {
            guard !isStoringDone, !done.isEmpty else { return [] }
            isStoringDone = true
            defer { done = [] }
            return done
        }
    }

    private let queue: any LeasedQueue<Item>
    private let handler: any QueueHandler<Item>
    private let names: (one: String, many: String)
    private let policy: QueuePolicy
    private let gate: QueueGate
    private let logger: Logger
    private let state = Mutex(State())
    private let isStoreAway = Atomic(false)
    private let isAbandoned = Atomic(false)
    /// Outcomes in this process so far.
    package let counts = QueueCounts()
    /// To be notified, from any thread, when something is due.
    package let wakeup = WakeupSignal()

    /// - Parameters:
    ///   - names: what an item and several are called in the log, such as `a mail` and `mails`.
    ///   - gate: on which the handler says whether more may be tried.
    package init(
        _ queue: some LeasedQueue<Item>, _ handler: some QueueHandler<Item>, names: (one: String, many: String),
        policy: QueuePolicy = QueuePolicy(), gate: QueueGate = QueueGate(), logger: Logger
    ) {
        self.queue = queue
        self.handler = handler
        self.names = names
        self.policy = policy
        self.gate = gate
        self.logger = logger
    }

    /// Runs until the graceful shutdown or cancellation, and then finishes what was begun. To be called once.
    package func run() async throws {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.listen() }
                var waiting: [LeasedItem<Item>] = []
                while !isStopping {
                    await dispatch(&waiting, in: &group)
                    try? await wakeup.wait()
                }
                limitStop()
                await release(waiting)
            }
        } onGracefulShutdown: {
            self.wakeup.notify()
        }
    }

    private var isStopping: Bool { Task.isCancelled || Task.isShuttingDownGracefully }

    /// Hears of what other processes stored, and looks now and then where it can't.
    private func listen() async {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                self.wakeup.notify()
                do {
                    try await self.queue.waitForWork(timeout: self.policy.pollInterval)
                } catch {
                    try? await Task.sleep(for: self.policy.pollInterval)
                }
            }
        }
    }

    /// Claims and begins work until nothing is due or enough is being done.
    private func dispatch(_ waiting: inout [LeasedItem<Item>], in group: inout DiscardingTaskGroup) async {
        while true {
            let (running, held) = state.withLock { ($0.running, $0.held) }
            let free = gate.concurrency(of: policy.concurrencyMax) - running
            guard free > 0 else { return }
            if waiting.isEmpty {
                waiting = await claim(min(free, policy.concurrencyMax - held) + policy.claimedAhead)
            }
            // What was claimed meanwhile is released.
            guard !waiting.isEmpty, !isStopping else { return }
            for item in waiting.prefix(free) { begin(item, in: &group) }
            waiting.removeFirst(min(free, waiting.count))
        }
    }

    private func claim(_ limit: Int) async -> [LeasedItem<Item>] {
        guard limit > 0 else { return [] }
        // Begins before the store counts, so that it ends before.
        let leaseEnd = Deadline.after(policy.lease)
        do {
            var items = try await queue.claim(limit: limit, lease: policy.lease, deadline: .after(policy.storeTimeout))
            if isStoreAway.exchange(false, ordering: .relaxed) { logger.info("\(names.many) can be claimed again") }
            for index in items.indices { items[index].leaseEnd = leaseEnd }
            state.withLock { $0.held += items.count }
            return items
        } catch {
            if !isStoreAway.exchange(true, ordering: .relaxed) {
                logger.warning("no \(names.many) can be claimed", metadata: ["error": "\(error)"])
            }
            return []
        }
    }

    private func begin(_ item: LeasedItem<Item>, in group: inout DiscardingTaskGroup) {
        // One whose lease ended while it waited here is due again.
        guard !item.leaseEnd.isExpired else { return state.withLock { $0.held -= 1 } }
        state.withLock { $0.running += 1 }
        group.addTask {
            await self.handler.observe(item) { await self.attempt(item) }
            self.state.withLock { $0.running -= 1 }
            self.wakeup.notify()
        }
    }

    private func attempt(_ item: LeasedItem<Item>) async -> QueueOutcome {
        let outcome = policy.decide(
            await handler.handle(item), attempts: item.attempts, random: .random(in: 0..<1))
        // Its own task: cancelling must not part what was done from its record.
        await Task { await self.record(outcome, item.lease) }.value
        return outcome
    }
}

// MARK: - Outcomes

extension QueueWorker {
    private func record(_ outcome: QueueOutcome, _ lease: Lease) async {
        switch outcome {
        case .done where policy.finishesTogether: await finishTogether(lease)
        case .done: await finish([lease])
        case .stored:
            await store("done", [lease], \.done) { _ in true }
        case .retry(let delay, let reason):
            await store("to be tried again", [lease], \.retried) {
                try await self.queue.retry(lease, after: delay ?? .zero, error: reason, deadline: $0)
            }
        case .deadLetter(let reason):
            await store("a dead letter", [lease], \.deadLettered) {
                try await self.queue.deadLetter(lease, error: reason, deadline: $0)
            }
        }
    }

    /// While one write goes on, further leases gather for the next.
    private func finishTogether(_ lease: Lease) async {
        var leases = state.withLock { state in
            state.done.append(lease)
            return state.takeDone()
        }
        while !leases.isEmpty {
            await finish(leases)
            leases = state.withLock { state in
                state.isStoringDone = false
                return state.takeDone()
            }
        }
    }

    private func finish(_ leases: [Lease]) async {
        await store("done", leases, \.done) {
            try await self.queue.finish(leases, deadline: $0)
            return true
        }
    }

    /// Stores the outcome of items, and retries while the store is away: until it is stored they may be handled twice.
    ///
    /// - Parameter body: returns whether the lease held.
    private func store(
        _ what: String, _ leases: [Lease], _ counter: WritableKeyPath<QueueCounts.Values, Int>,
        _ body: (Deadline) async throws -> Bool
    ) async {
        defer { state.withLock { $0.held -= leases.count } }
        let about: Logger.Metadata = [
            "id": "\(leases.first?.itemID ?? "")", "count": "\(leases.count)", "as": "\(what)",
        ]
        var failures = 0
        while true {
            do {
                if try await !body(.after(policy.storeTimeout)) {
                    logger.warning("\(names.one)'s lease was lost to another", metadata: about)
                }
                counts.add(leases.count, to: counter)
                return
            } catch {
                failures += 1
                // The program stops: the lease ends by itself, and the item is tried again.
                let isLast = isAbandoned.load(ordering: .relaxed)
                if failures == 1 || isLast {
                    logger.error(
                        "what became of \(names.one) could not be stored",
                        metadata: about.merging(["error": "\(error)"]) { $1 })
                }
                if isLast { return }
                try? await Task.sleep(for: Self.storeBackoff.wait(after: failures, random: .random(in: 0..<1)))
            }
        }
    }
}

// MARK: - The end

extension QueueWorker {
    /// Releases what was claimed and not begun, for another replica or the next start to take up at once.
    private func release(_ items: [LeasedItem<Item>]) async {
        for item in items {
            let deadline = Deadline.after(policy.storeTimeout)
            do {
                try await queue.retry(item.lease, after: .zero, error: "the worker stopped", deadline: deadline)
            } catch {
                // Their leases end all the same.
                return
            }
        }
    }

    /// Shutdown waits for what was begun, but not for ever.
    private func limitStop() {
        let timeout: Duration = Task.isCancelled ? .zero : policy.stopTimeout
        Task {
            try? await Task.sleep(for: timeout)
            self.isAbandoned.store(true, ordering: .relaxed)
            self.handler.abandon()
        }
    }
}

/// Outcomes of a worker since the process started. May be read and changed on any thread.
package final class QueueCounts: Sendable {
    /// Items by outcome, also those whose lease was lost before it was stored.
    package struct Values: Sendable, Equatable {
        package var done = 0
        package var retried = 0
        package var deadLettered = 0

        package init(done: Int = 0, retried: Int = 0, deadLettered: Int = 0) {
            self.done = done
            self.retried = retried
            self.deadLettered = deadLettered
        }
    }

    private let counted = Mutex(Values())

    package init() {}

    /// One consistent copy.
    package var values: Values { counted.withLock { $0 } }

    /// - Parameter count: 0 or more.
    package func add(_ count: Int, to counter: WritableKeyPath<Values, Int>) {
        counted.withLock { $0[keyPath: counter] += count }
    }
}

/// The work that one queue's items stand for.
package protocol QueueHandler<Item>: Sendable {
    associatedtype Item: Sendable

    /// Works on an item, within less than its lease. The worker stores the outcome.
    ///
    /// Runs concurrently for up to ``QueuePolicy/concurrencyMax`` items, on Swift's cooperative threads: it must not
    /// block. It is not cancelled by a graceful shutdown, but when the program ends because another part failed.
    func handle(_ item: LeasedItem<Item>) async -> QueueOutcome

    /// Surrounds one try and the storing of its outcome, for logs and spans.
    ///
    /// - Parameter attempt: handles the item and stores the outcome, which it returns. To be called exactly once.
    func observe(_ item: LeasedItem<Item>, _ attempt: @Sendable () async -> QueueOutcome) async

    /// Called once, when the program stops and ``QueuePolicy/stopTimeout`` is over: tries in flight should end now.
    func abandon()
}

extension QueueHandler {
    package func observe(_ item: LeasedItem<Item>, _ attempt: @Sendable () async -> QueueOutcome) async {
        _ = await attempt()
    }

    package func abandon() {}
}
