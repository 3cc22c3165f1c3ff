import Idempotency
import RPC

/// Stored work that is done by the process that claims it: this one, another, or the next one after a crash.
///
/// An item is due at a time. A claim moves that time to the end of a lease: until then the item is the claimant's
/// alone, and after a crash it is due again by itself. Items are handled at least once, so handlers must be idempotent.
///
/// All methods may be called from any task, concurrently. They throw `StorageError`, `Status` with DEADLINE_EXCEEDED, or
/// `CancellationError`.
package protocol LeasedQueue<Item>: Sendable {
    associatedtype Item: Sendable

    /// Claims items that are due, those that are due for longest first. No two callers get the same one.
    ///
    /// - Parameters:
    ///   - limit: at most so many, at least 1.
    ///   - lease: how long they are the caller's, above 0.
    /// - Returns: fewer than `limit` when no more are due, and when the store fails after the first.
    func claim(limit: Int, lease: Duration, deadline: Deadline) async throws -> [LeasedItem<Item>]

    /// Stores that nothing is left to do for these items. An item whose lease was lost stays, unless the queue's own
    /// documentation says otherwise.
    func finish(_ leases: [Lease], deadline: Deadline) async throws

    /// Releases an item, to be due again after `delay`.
    ///
    /// - Returns: false when the lease was lost to another; then nothing is changed.
    @discardableResult
    func retry(_ lease: Lease, after delay: Duration, error: String, deadline: Deadline) async throws -> Bool

    /// Makes an item a dead letter: it is not claimed any more until it is put back by hand.
    ///
    /// - Returns: false when the lease was lost to another; then nothing is changed.
    @discardableResult
    func deadLetter(_ lease: Lease, error: String, deadline: Deadline) async throws -> Bool

    /// Counts what waits in the store, of all processes.
    func statistics(deadline: Deadline) async throws -> LeasedQueueStatistics

    /// Returns when there may be something to claim, also of another process, or when `timeout` is over.
    ///
    /// - Throws: `CancellationError` too.
    func waitForWork(timeout: Duration) async throws
}

extension LeasedQueue {
    /// For a store without notifications: returns after `timeout`, so that the worker polls.
    package func waitForWork(timeout: Duration) async throws {
        try await Task.sleep(for: timeout)
    }
}

/// Proof of a claim on an item. Outcomes are stored with it; it is invalid once the item is claimed again.
package struct Lease: Sendable, Equatable {
    /// The item's id in its store.
    package var itemID: String
    /// Random, another for each claim.
    package var token: String

    package init(itemID: String, token: String) {
        self.itemID = itemID
        self.token = token
    }
}

/// A claimed item.
package struct LeasedItem<Item: Sendable>: Sendable {
    /// As it was stored when it was claimed.
    package var item: Item
    package var lease: Lease
    /// Claims before this one, 0 or more: failed tries, those of crashed processes included.
    package var attempts: Int
    /// When the lease ends, or a little before, by this process's clock. Set by the worker; a queue leaves it at `never`.
    package var leaseEnd = Deadline.never

    package init(_ item: Item, lease: Lease, attempts: Int) {
        self.item = item
        self.lease = lease
        self.attempts = attempts
    }
}

/// What waits in a queue, over all processes.
package struct LeasedQueueStatistics: Sendable, Equatable {
    /// Stores may stop counting pending items here.
    package static let countMax = 100_000

    /// Items that wait or are being worked on.
    package var pending: Int
    /// How long the oldest of them has waited; 0 without one.
    package var oldestPendingSeconds: Double
    /// 0 for a queue that does not count them.
    package var deadLetters: Int

    package init(pending: Int = 0, oldestPendingSeconds: Double = 0, deadLetters: Int = 0) {
        self.pending = pending
        self.oldestPendingSeconds = oldestPendingSeconds
        self.deadLetters = deadLetters
    }

    /// - Parameter oldest: when the oldest item began to wait, in microseconds since 1970 in UTC; `nil` when none waits.
    package init(pending: Int, since oldest: Int64?, deadLetters: Int = 0) {
        let age = oldest.map { max(0, WallClock.microseconds - $0) } ?? 0
        self.init(
            pending: pending, oldestPendingSeconds: pending > 0 ? Double(age) / 1e6 : 0, deadLetters: deadLetters)
    }
}
