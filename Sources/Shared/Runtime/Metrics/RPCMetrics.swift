import RPC
import Synchronization

/// Calls, outcomes, latency and calls in flight of each RPC method, by OpenTelemetry's names:
/// `rpc_server_call_duration_seconds` by method and status (its `_count` counts calls), and `rpc_server_active_calls`;
/// for calls that we make, the same with `rpc_client`.
public final class RPCMetrics: Sendable {
    /// Whose calls are counted.
    public enum Side: String, Sendable {
        case server, client
    }

    private let side: Side
    private let recorders = Mutex<[String: MethodRecorder]>([:])

    /// Methods that are told apart; further ones are not recorded. Methods come from route tables, not from callers.
    static let methodsMax = 500

    /// Adds its families to `registry`.
    public init(registry: MetricsRegistry, side: Side = .server) {
        self.side = side
        registry.collect("rpc_\(side)_active_calls") { [weak self] text in
            self?.write(to: &text)
        }
    }

    /// The recorder of a method; the same one each time. Pass it as `RPCServer(recorder:)`.
    public func recorder(service: String, method: String) -> (any CallRecorder)? {
        let name = "\(service)/\(method)"
        return recorders.withLock { recorders in
            if let known = recorders[name] { return known }
            guard recorders.count < Self.methodsMax else { return nil }
            let recorder = MethodRecorder()
            recorders[name] = recorder
            return recorder
        }
    }

    private func write(to text: inout PrometheusText) {
        let snapshots = recorders.withLock { $0 }.sorted { $0.key < $1.key }.map { ($0.key, $0.value.snapshot()) }
        // A family without samples says nothing.
        guard !snapshots.isEmpty else { return }
        let active = "rpc_\(side)_active_calls"
        text.family(active, .gauge, help: "Calls begun and not ended.")
        for (method, snapshot) in snapshots {
            text.sample(active, Self.labels(method), Double(snapshot.active))
        }
        let name = "rpc_\(side)_call_duration_seconds"
        text.family(name, .histogram, help: "Time from a call's request to its answer.")
        for (method, snapshot) in snapshots {
            for outcome in snapshot.outcomes {
                text.histogram(
                    name, Self.labels(method, ("rpc_response_status_code", outcome.code.name)),
                    bounds: MethodRecorder.boundsSeconds, counts: outcome.counts, sum: outcome.seconds)
            }
        }
    }

    private static func labels(_ method: String, _ more: (String, String)...) -> Labels {
        Labels([("rpc_system_name", "grpc"), ("rpc_method", method)] + more)
    }
}
