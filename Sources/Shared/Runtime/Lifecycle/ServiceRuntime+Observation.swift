import Contracts
import Logging
import NIOPosix
import RPC

/// What the runtime shows of a program that is no program's own.
extension ServiceRuntime {
    /// What writes the lines of an RPC method that the program serves.
    func observer(service: String, method: String) -> (any CallObserver)? {
        callLog?.observer(service: service, method: method, isProbe: service == HealthMethods.service)
    }

    /// Build, readiness, lines left out, and the lag of the event loops.
    func registerOwnMetrics() {
        BuildInfo.register(in: metrics, service: name, settings: settings)
        callLog?.register(in: metrics)
        MemoryMetrics.register(memory, in: metrics)
        let readiness = readiness
        metrics.gauge("shippy_ready", "1 while the program can serve, as /readyz says it.") {
            readiness.report().isReady ? 1 : 0
        }
        let lag = loopLag
        for index in 0..<configuration.threads {
            metrics.gauge(
                "event_loop_current_lag_seconds", "How late an event loop runs at this moment.",
                labels: [("loop", "\(index)")]
            ) {
                let all = lag.nanoseconds
                return all.indices.contains(index) ? Double(all[index]) / 1e9 : .nan
            }
        }
    }

    /// For what exporters say about themselves: exported, it would give them more to say.
    static func unexportedLogger(_ name: String, _ output: LogOutput, _ levels: LogLevelSwitch) -> Logger {
        Logger(label: name) { label in
            LineLogHandler(service: name, label: label, output: output.unexported, levels: levels)
        }
    }

    /// Watches the loops' lag, which is recorded as `event_loop_lag_seconds`.
    static func loopLag(_ group: MultiThreadedEventLoopGroup, _ metrics: MetricsRegistry) -> LoopLag {
        metrics.describe("event_loop_lag_seconds", "How late event loops ran a task, a few times a second.")
        let timer = metrics.makeTimer(label: "event_loop_lag_seconds", dimensions: [])
        return LoopLag(group: group) { timer.recordNanoseconds($0) }
    }
}
