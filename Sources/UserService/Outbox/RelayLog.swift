import Logging
import RPC

/// What a batch came to, for the log.
struct BatchResult: Sendable {
    var delivered = 0
    /// The last failure.
    var failure: Status?
}

/// Says when deliveries begin to fail and when they go through again, and not every try in between.
struct RelayLog {
    let logger: Logger
    private var isFailing = false
    private var isStoreFailing = false

    init(logger: Logger) {
        self.logger = logger
    }

    mutating func note(_ result: BatchResult) {
        if let failure = result.failure {
            if !isFailing {
                logger.warning(
                    "events can't be delivered; they are kept and tried again", metadata: ["why": "\(failure)"])
            }
            isFailing = true
        } else if result.delivered > 0 {
            if isFailing { logger.info("events are delivered again") }
            isFailing = false
        }
    }

    mutating func storeFailed(_ error: any Error) {
        if !isStoreFailing { logger.warning("no events can be claimed", metadata: ["error": "\(error)"]) }
        isStoreFailing = true
    }

    mutating func storeAnswered() {
        if isStoreFailing { logger.info("events can be claimed again") }
        isStoreFailing = false
    }
}
