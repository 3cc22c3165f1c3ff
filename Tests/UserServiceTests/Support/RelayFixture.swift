import LeasedQueue
import NIOPosix
import RPC
import TestSupport

@testable import UserService

/// The bounds of a relay.
struct RelayBounds {
    var policy = Relay.policy
    var deliveryTimeout = Relay.deliveryTimeout

    /// Waits short enough for tests.
    static var quick: RelayBounds {
        var quick = RelayBounds()
        quick.policy.pollInterval = .milliseconds(20)
        quick.policy.backoff.first = .milliseconds(1)
        quick.policy.backoff.longest = .milliseconds(20)
        return quick
    }
}

/// A relay's worker that runs.
struct RunningRelay {
    let counts: QueueCounts
    let service: RunningService
}

/// Runs a relay from `users` to whatever listens on `port`.
func withRelay(
    _ users: WatchedUsers, port: Int, _ bounds: RelayBounds = .quick, log: LogCapture = LogCapture(),
    _ body: (RunningRelay) async throws -> Void
) async throws {
    let client = RPCClient(
        configuration: RPCClient.Configuration(target: HostPort(host: "127.0.0.1", port: port)),
        group: .singleton, logger: log.logger())
    let relay = Relay(EventDelivery(to: client), timeout: bounds.deliveryTimeout, logger: log.logger())
    let worker = QueueWorker(
        users, relay, names: ("an event", "events"), policy: bounds.policy, logger: log.logger())
    let running = RunningRelay(counts: worker.counts, service: RunningService(worker))
    let result = await Result(catching: { try await body(running) })
    await running.service.stop()
    await client.shutdown()
    try result.get()
}
