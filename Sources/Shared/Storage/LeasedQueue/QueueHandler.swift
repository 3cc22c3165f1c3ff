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
