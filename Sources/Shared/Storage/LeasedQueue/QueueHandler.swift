/// What is special to the work of one queue.
package protocol QueueHandler<Item>: Sendable {
    associatedtype Item: Sendable

    /// Works on an item, within less than its lease. The worker stores the outcome.
    ///
    /// Not cancelled when the program stops in order, but when it ends because another part failed.
    func handle(_ item: LeasedItem<Item>) async -> QueueOutcome

    /// Runs a try up to the end of its storing, for logs and spans.
    ///
    /// - Parameter attempt: handles the item once and stores what became of it, which it returns.
    func observe(_ item: LeasedItem<Item>, _ attempt: @Sendable () async -> QueueOutcome) async

    /// The program has waited long enough: tries that still go on should end now.
    func abandon()
}

extension QueueHandler {
    package func observe(_ item: LeasedItem<Item>, _ attempt: @Sendable () async -> QueueOutcome) async {
        _ = await attempt()
    }

    package func abandon() {}
}
