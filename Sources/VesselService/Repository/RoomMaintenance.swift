import Logging
import RPC
import Runtime
import ServiceLifecycle
import Synchronization

/// Tidies the vessels up now and then (see ``VesselRepository/tidy(deadline:)``), and looks how much room there is.
final class RoomMaintenance: Service {
    private static let interval: Duration = .seconds(5)

    private let repository: any VesselRepository
    private let logger: Logger
    /// `nil` until it has been looked at.
    private let largest = Mutex<Room?>(nil)

    init(repository: any VesselRepository, logger: Logger) {
        self.repository = repository
        self.logger = logger
    }

    func register(in registry: MetricsRegistry) {
        registry.gauge("vessel_largest_room_containers", "The most containers that any vessel still takes.") {
            self.largest.withLock { $0.map { Double($0.containers) } } ?? .nan
        }
        registry.gauge("vessel_largest_room_kilograms", "The most kg that any vessel still takes.") {
            self.largest.withLock { $0.map { Double($0.weight) } } ?? .nan
        }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled {
                let failure = await self.runOnce()
                if let failure, !Task.isCancelled {
                    // A store that is down is no news each time.
                    self.logger.log(
                        level: failures == 0 ? .warning : .debug, "the vessels could not be tidied up",
                        metadata: ["error": "\(failure)"])
                }
                failures = failure == nil ? 0 : failures + 1
                try? await Task.sleep(for: Self.interval)
            }
        }
    }

    /// - Returns: what failed, if anything did.
    private func runOnce() async -> (any Error)? {
        var failure: (any Error)?
        do { try await repository.tidy(deadline: .after(Self.interval)) } catch { failure = error }
        do {
            let room = try await repository.largestRoom(deadline: .after(Self.interval))
            largest.withLock { $0 = room }
        } catch {
            failure = failure ?? error
        }
        return failure
    }
}
