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
    /// How long a claimed item is this process's: longer than its wait for its turn and any try. After a crash it waits
    /// for the end of its lease.
    package var lease: Duration = .seconds(30)
    /// For one call of the store.
    package var storeTimeout: Duration = .seconds(5)
    /// How often to look for what is due, without a notification: work of other processes, and tries whose wait is over.
    package var pollInterval: Duration = .seconds(1)
    /// Waits between the tries of an item.
    package var backoff = Backoff()
    /// Tries of an item, the first included, before it is a dead letter; `nil` for any number.
    package var triesMax: Int?
    /// How long a program that stops waits for tries, and for outcomes that can't be stored, before it abandons them.
    /// Tries go on to their end if their handler does not implement ``QueueHandler/abandon()``.
    package var stopTimeout: Duration = .zero

    /// Bytes of an error text that is kept with an item; a longer one is shortened.
    package static let errorBytesMax = 500

    package init() {}

    /// The outcome to store: a retry with its wait, or a dead letter after the last try.
    ///
    /// - Parameters:
    ///   - attempts: claims before this one, 0 or more.
    ///   - random: 0 ..< 1.
    package func decide(_ outcome: QueueOutcome, attempts: Int, random: Double) -> QueueOutcome {
        switch outcome {
        case .done, .stored: return outcome
        case .deadLetter(let reason): return .deadLetter(reason: reason.shortened(bytesMax: Self.errorBytesMax))
        case .retry(let delay, let reason):
            let reason = reason.shortened(bytesMax: Self.errorBytesMax)
            if let triesMax, attempts + 1 >= triesMax { return .deadLetter(reason: reason) }
            return .retry(after: delay ?? backoff.wait(after: attempts + 1, random: random), reason: reason)
        }
    }
}

/// The outcome of one try. Reasons are stored and logged: no passwords or tokens.
package enum QueueOutcome: Sendable, Equatable {
    /// Done; the worker calls ``LeasedQueue/finish(_:deadline:)``.
    case done
    /// Done, and the handler has stored that: the worker stores nothing.
    case stored
    /// To be tried again after this long; `nil` for the policy's back-off.
    case retry(after: Duration?, reason: String)
    /// Not to be tried again, until it is requeued by hand.
    case deadLetter(reason: String)
}
