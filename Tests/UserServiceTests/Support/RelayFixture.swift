import Contracts
import Logging
import NIOPosix
import RPC
import ServiceLifecycle
import TestSupport

@testable import UserService

extension Relay.Configuration {
    /// Waits short enough for tests.
    static var quick: Relay.Configuration {
        var quick = Relay.Configuration()
        quick.deliveryTimeout = .seconds(5)
        quick.lease = .seconds(30)
        quick.pollInterval = .milliseconds(20)
        quick.pause = .milliseconds(20)
        quick.statisticsInterval = .milliseconds(20)
        quick.policy.waitFirst = .milliseconds(1)
        quick.policy.waitMax = .milliseconds(20)
        return quick
    }
}

/// A relay that runs.
final class RunningRelay: Sendable {
    let metrics: RelayMetrics
    private let group: ServiceGroup
    private let run: Task<Void, any Error>

    init(_ relay: Relay) {
        metrics = relay.metrics
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [relay], logger: Logger(label: "test")))
        self.group = group
        run = Task { try await group.run() }
    }

    /// As SIGTERM does; returns when the relay has ended.
    func stop() async {
        await beginStop()
        try? await run.value
    }

    func beginStop() async {
        await group.triggerGracefulShutdown()
    }

    /// The nearest to kill -9: whatever it waits for is cut off, and nothing is noted.
    func crash() async {
        run.cancel()
        try? await run.value
    }
}

/// Runs a relay from `users` to whatever listens on `port`.
func withRelay(
    _ users: WatchedUsers, port: Int, _ configuration: Relay.Configuration = .quick, log: LogCapture = LogCapture(),
    _ body: (RunningRelay) async throws -> Void
) async throws {
    let client = RPCClient(
        configuration: RPCClient.Configuration(target: HostPort(host: "127.0.0.1", port: port)),
        group: .singleton, logger: log.logger())
    let relay = RunningRelay(
        Relay(
            outbox: users, delivery: EventDelivery(to: client), configuration: configuration, metrics: RelayMetrics(),
            logger: log.logger()))
    do {
        try await body(relay)
    } catch {
        await relay.stop()
        await client.shutdown()
        throw error
    }
    await relay.stop()
    await client.shutdown()
}
