import Logging
import RPC
import Runtime
import ServiceLifecycle
import Synchronization

/// Tidies the vessels up now and then (see ``VesselRepository/tidy(deadline:)``), and looks how much room there is.
final class RoomKeeper: Service {
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
            while !Task.isCancelled {
                do {
                    let room = try await self.repository.largestRoom(deadline: .after(Self.interval))
                    self.largest.withLock { $0 = room }
                    try await self.repository.tidy(deadline: .after(Self.interval))
                } catch {
                    self.logger.debug("the vessels could not be tidied up", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }
}
