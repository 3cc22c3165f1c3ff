import Logging
import RPC
import ServiceLifecycle
import Synchronization

/// Counts the items that wait in the store, those of other replicas included, every 5 s.
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

    /// The last count, which stays while the store is away; `nil` before the first. May be read on any thread.
    package var latest: LeasedQueueStatistics? { statistics.withLock { $0 } }

    /// Replaces the last count.
    package func record(_ counted: LeasedQueueStatistics) { statistics.withLock { $0 = counted } }

    /// Counts until the graceful shutdown.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    self.record(try await self.queue.statistics(deadline: .after(Self.timeout)))
                } catch {
                    // It shows in the pool's gauges too.
                    self.logger.debug("what waits could not be counted", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }
}
