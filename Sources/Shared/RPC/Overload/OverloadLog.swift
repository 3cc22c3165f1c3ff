import Logging
import NIOConcurrencyHelpers

/// Says in the log when calls begin to be refused and when that is over, once for all event loops.
final class OverloadLog: Sendable {
    private let logger: Logger
    private let loopsRefusing = NIOLockedValueBox(0)

    init(_ logger: Logger) {
        self.logger = logger
    }

    /// A loop begins to refuse calls.
    func began(_ reason: RefusalReason) {
        let isFirst = loopsRefusing.withLockedValue { count in
            count += 1
            return count == 1
        }
        guard isFirst else { return }
        logger.warning("overloaded: calls are refused", metadata: ["reason": "\(reason.name)"])
    }

    /// A loop has refused no call for a while.
    func ended() {
        let isLast = loopsRefusing.withLockedValue { count in
            count -= 1
            return count == 0
        }
        if isLast { logger.notice("recovered: no more calls are refused") }
    }
}
