import Glibc
import HTTP
import Logging
import NIOCore
import RPC
import ServiceLifecycle

/// Runs the parts of a program: store, clients, admin endpoints, front, background work; and stops them the other way
/// round when a signal comes.
struct ServiceRunner: Sendable {
    let runtime: ServiceRuntime
    let parts: ServiceParts

    /// What stopping may take beyond the drain timeout before the process is ended by force.
    static let stopGrace: Duration = .seconds(10)

    /// Runs until a signal came and all has stopped, or a part failed.
    ///
    /// The first signal drains: not ready, no new connections, calls in flight end, store closed. The second ends the
    /// process at once with status 128 + signal.
    /// - Parameter signals: signal numbers as they arrive.
    /// - Throws: ``ProgramFailure`` or what a background part threw.
    func run(signals: AsyncStream<Int32>) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: services(), logger: quietLogger))
        let listening = Task { await listen(to: signals, stop: group) }
        defer { listening.cancel() }
        try await group.run()
        runtime.logger.info("stopped")
    }

    /// In the order of starting; each is stopped only when all after it have ended.
    private func services() -> [any Service] {
        let logger = runtime.logger
        let configuration = runtime.configuration
        // First, as the last calls of a drain are traced, counted and logged, too.
        var services: [any Service] = runtime.exporters.isEmpty ? [] : [runtime.exporters]
        var opened: Gate?
        if let store = parts.store {
            let service = StoreService(
                store, address: parts.storeAddress, timeout: configuration.storeTimeout,
                storeFailureGrace: configuration.storeFailureGrace, logger: logger, readiness: runtime.readiness,
                prepare: parts.prepare)
            PoolMetrics.register(store, in: runtime.metrics)
            runtime.readiness.add(service.check)
            opened = service.opened
            services.append(service)
        }
        services.append(ClosingService { [runtime] in await runtime.closeClients() })
        services.append(
            ListenerService(
                listener: adminServer(), purpose: "admin", address: configuration.adminAddress,
                drainTimeout: .seconds(1), logger: logger))
        services.append(
            ListenerService(
                listener: parts.front, purpose: "calls", address: configuration.address,
                drainTimeout: configuration.drainTimeout, logger: logger))
        services += parts.background.map { BackgroundService(service: $0, opened: opened) }
        services.append(ReadinessService(readiness: runtime.readiness, logger: logger))
        return services
    }

    private func adminServer() -> HTTPServer {
        var configuration = HTTPServer.Configuration(address: runtime.configuration.adminAddress)
        configuration.bodyBytesMax = AdminResponder.bodyBytesMax
        // Few connections and small bodies, within a budget of their own: probes are answered when callers hold all the memory.
        configuration.connectionsMax = 64
        return HTTPServer(
            configuration: configuration, group: runtime.group,
            responder: AdminResponder(
                readiness: runtime.readiness, metrics: runtime.metrics, logLevels: runtime.logLevels,
                logger: runtime.logger),
            logger: runtime.logger)
    }

    /// The group would log each step of starting and stopping; the parts say what matters themselves.
    private var quietLogger: Logger {
        var logger = runtime.logger
        logger.logLevel = .critical
        return logger
    }

    private func listen(to signals: AsyncStream<Int32>, stop group: ServiceGroup) async {
        var isStopping = false
        for await signal in signals {
            if isStopping {
                runtime.logger.warning("stopping at once", metadata: ["signal": "\(signal)"])
                _exit(128 + signal)
            }
            isStopping = true
            runtime.logger.info("stopping", metadata: ["signal": "\(signal)"])
            runtime.readiness.beginDraining()
            await group.triggerGracefulShutdown()
            watchStop()
        }
    }

    /// Whatever hangs, the process ends: an orchestrator's kill would leave no word in the log.
    private func watchStop() {
        let limit = runtime.configuration.drainTimeout + Self.stopGrace
        runtime.group.next().scheduleTask(in: TimeAmount(limit)) { [logger = runtime.logger] in
            logger.critical("stopping took longer than \(limit); the process ends now")
            _exit(1)
        }
    }
}
