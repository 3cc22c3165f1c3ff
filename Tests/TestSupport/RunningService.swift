import Logging
import ServiceLifecycle

/// A background part of a program, as it runs there.
public final class RunningService: Sendable {
    private let group: ServiceGroup
    private let run: Task<Void, any Error>

    public init(_ service: any Service) {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [service], logger: Logger(label: "test")))
        self.group = group
        run = Task { try await group.run() }
    }

    /// As SIGTERM does.
    public func beginStop() async { await group.triggerGracefulShutdown() }

    /// As SIGTERM does; returns when it has ended.
    public func stop() async {
        await beginStop()
        try? await run.value
    }

    /// As when another part of the program failed; returns when it has ended.
    public func cancel() async {
        run.cancel()
        try? await run.value
    }
}
