import Idempotency
import RPC

/// Stored work that is done by the process that claims it: this one, another, or the next one after a crash.
///
/// An item is due at a time. To claim it moves that time to the end of a lease: until then it is the claimant's alone, and
/// when they die it is due again by itself. At least once, therefore: what is done for an item must bear a repeat.
package protocol LeasedQueue<Item>: Sendable {
    associatedtype Item: Sendable

    /// Claims items that are due, those that are due for longest first. No two callers get the same one.
    ///
    /// - Parameters:
    ///   - limit: at most so many, at least 1.
    ///   - lease: how long they are the caller's.
    func claim(limit: Int, lease: Duration, deadline: Deadline) async throws -> [LeasedItem<Item>]

    /// Stores that nothing is left to do for these items. One whose lease was lost stays, unless the queue says otherwise.
    func finish(_ leases: [Lease], deadline: Deadline) async throws

    /// Gives an item back, to be due again after `delay`.
    ///
    /// - Returns: false when the lease was lost to another; then nothing is changed.
    @discardableResult
    func retry(_ lease: Lease, after delay: Duration, error: String, deadline: Deadline) async throws -> Bool

    /// Makes an item a dead letter: it is not claimed any more until it is put back by hand.
    ///
    /// - Returns: false when the lease was lost to another; then nothing is changed.
    @discardableResult
    func deadLetter(_ lease: Lease, error: String, deadline: Deadline) async throws -> Bool

    func statistics(deadline: Deadline) async throws -> LeasedQueueStatistics

    /// Ends when there may be something to claim, also of another process, or when `timeout` is over.
    func waitForWork(timeout: Duration) async throws
}

extension LeasedQueue {
    /// For a store that tells of nothing: looking now and then is soon enough.
    package func waitForWork(timeout: Duration) async throws {
        try await Task.sleep(for: timeout)
    }
}

/// The right to say what became of an item; worthless once another has claimed it.
package struct Lease: Sendable, Equatable {
    package var itemID: String
    /// Made anew at each claim.
    package var token: String

    package init(itemID: String, token: String) {
        self.itemID = itemID
        self.token = token
    }
}

package struct LeasedItem<Item: Sendable>: Sendable {
    package var item: Item
    package var lease: Lease
    /// Tries that came to nothing before this one.
    package var attempts: Int
    /// When the lease ends, or a little before. Set by the worker.
    package var leaseEnd = Deadline.never

    package init(_ item: Item, lease: Lease, attempts: Int) {
        self.item = item
        self.lease = lease
        self.attempts = attempts
    }
}

package struct LeasedQueueStatistics: Sendable, Equatable {
    /// Stores may stop counting here.
    package static let countMax = 100_000

    /// Items that wait or are being worked on.
    package var pending: Int
    /// 0 when none waits.
    package var oldestPendingSeconds: Double
    /// Where the queue counts them.
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
