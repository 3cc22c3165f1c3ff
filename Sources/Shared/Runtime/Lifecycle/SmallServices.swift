import Logging
import ServiceLifecycle

/// Does nothing until its turn to stop comes.
struct ClosingService: Service {
    let close: @Sendable () async -> Void

    init(_ close: @escaping @Sendable () async -> Void) {
        self.close = close
    }

    func run() async throws {
        try? await gracefulShutdown()
        await close()
    }
}

/// Background work that starts when the store is open.
struct BackgroundService: Service {
    let service: any Service
    /// `nil` when there is no store to wait for.
    let opened: Gate?

    func run() async throws {
        if let opened {
            do {
                try await cancelWhenGracefulShutdown { try await opened.waitUntilOpen() }
            } catch is CancellationError {
                return
            }
        }
        try await service.run()
    }
}

/// Runs the readiness checks, and logs when the outcome changes.
struct ReadinessService: Service {
    let readiness: Readiness
    let logger: Logger

    /// How often the outcome is looked at, for the log only.
    private static let lookInterval: Duration = .milliseconds(200)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup { group in
                group.addTask { await readiness.run() }
                group.addTask { await logChanges() }
            }
        }
        readiness.beginDraining()
    }

    private func logChanges() async {
        var last: Bool?
        var hasBeenReady = false
        while !Task.isCancelled {
            let report = readiness.report()
            if report.isReady != last {
                if report.isReady {
                    logger.info("ready")
                    if !hasBeenReady { ProcessLimits.returnStartPages() }
                    hasBeenReady = true
                } else if last != nil, !report.isDraining {
                    let reasons = report.checks.compactMap { check in check.reason.map { "\(check.name): \($0)" } }
                    logger.warning("not ready", metadata: ["why": "\(reasons.joined(separator: "; "))"])
                }
                last = report.isReady
            }
            try? await Task.sleep(for: Self.lookInterval)
        }
    }
}
