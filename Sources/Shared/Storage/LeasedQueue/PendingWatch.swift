import Logging
import RPC
import ServiceLifecycle
import Synchronization

/// Looks now and then how many items wait in the store, which knows of other replicas' too.
package final class PendingWatch: Service {
    private static let interval: Duration = .seconds(5)
    private static let timeout: Duration = .seconds(5)

    private let queue: any LeasedQueue
    private let logger: Logger
    private let statistics = Mutex<LeasedQueueStatistics?>(nil)

    package init(_ queue: any LeasedQueue, logger: Logger) {
        self.queue = queue
        self.logger = logger
    }

    /// What the store counted last; `nil` until it has.
    package var latest: LeasedQueueStatistics? { statistics.withLock { $0 } }

    package func note(_ counted: LeasedQueueStatistics) { statistics.withLock { $0 = counted } }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    self.note(try await self.queue.statistics(deadline: .after(Self.timeout)))
                } catch {
                    // It shows in the pool's gauges too.
                    self.logger.debug("what waits could not be counted", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }
}
