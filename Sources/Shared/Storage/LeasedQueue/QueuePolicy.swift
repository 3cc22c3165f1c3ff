import RPC

/// The bounds of a queue's worker.
package struct QueuePolicy: Sendable {
    /// Items worked on at a time.
    package var concurrencyMax = 8
    /// Items claimed beyond those, so that many are claimed at once; they wait for their turn in the worker.
    package var claimedAhead = 0
    /// Whether items that are done while others are being stored are stored together, after their place is free again.
    /// Otherwise an item holds its place until it is stored.
    package var finishesTogether = false
    /// How long a claimed item is ours: longer than its wait for its turn and any try. After a crash it waits for the end
    /// of its lease.
    package var lease: Duration = .seconds(30)
    /// For one question to the store.
    package var storeTimeout: Duration = .seconds(5)
    /// How often to look for what is due, without a notification: work of other processes, and tries whose wait is over.
    package var pollInterval: Duration = .seconds(1)
    /// Waits between the tries of an item.
    package var backoff = Backoff()
    /// Tries of an item, the first included, before it is a dead letter; `nil` for any number.
    package var triesMax: Int?
    /// How long a program that stops waits for tries, and for outcomes that can't be stored, before it abandons them.
    package var stopPatience: Duration = .zero

    /// Of an error text that is kept with an item.
    package static let errorBytesMax = 500

    package init() {}

    /// What is to be stored of an outcome: a retry with its wait, or a dead letter after the last try.
    ///
    /// - Parameters:
    ///   - attempts: tries that came to nothing before this one.
    ///   - random: 0 ..< 1.
    package func decide(_ outcome: QueueOutcome, attempts: Int, random: Double) -> QueueOutcome {
        switch outcome {
        case .done, .settled: return outcome
        case .deadLetter(let reason): return .deadLetter(reason: reason.shortened(bytesMax: Self.errorBytesMax))
        case .retry(let delay, let reason):
            let reason = reason.shortened(bytesMax: Self.errorBytesMax)
            if let triesMax, attempts + 1 >= triesMax { return .deadLetter(reason: reason) }
            return .retry(after: delay ?? backoff.wait(after: attempts + 1, random: random), reason: reason)
        }
    }
}

/// What became of one try.
package enum QueueOutcome: Sendable, Equatable {
    /// Done; the worker takes the item out.
    case done
    /// Done, and taken out by what was done.
    case settled
    /// To be tried again: after this long, or as the policy says.
    case retry(after: Duration?, reason: String)
    /// Never to be tried again.
    case deadLetter(reason: String)
}
