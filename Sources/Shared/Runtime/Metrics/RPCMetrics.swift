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
    private let isEnabled: Bool
    private let recorders = Mutex<[String: MethodRecorder]>([:])

    /// Methods that are told apart; further ones are not recorded. Methods come from route tables, not from callers.
    static let methodsMax = 500

    /// Adds its families to `registry`.
    ///
    /// - Parameter isEnabled: false hands out no recorders, so that calls are not counted.
    public init(registry: MetricsRegistry, side: Side = .server, isEnabled: Bool = true) {
        self.side = side
        self.isEnabled = isEnabled
        registry.collect("rpc_\(side)_active_calls") { [weak self] snapshot in
            self?.write(to: &snapshot)
        }
    }

    /// The recorder of a method; the same one each time.
    public func recorder(service: String, method: String) -> MethodRecorder? {
        guard isEnabled else { return nil }
        // Unknown methods share one label, which is no service's name.
        let name = service.isEmpty ? method : "\(service)/\(method)"
        return recorders.withLock { recorders in
            if let known = recorders[name] { return known }
            guard recorders.count < Self.methodsMax else { return nil }
            let recorder = MethodRecorder()
            recorders[name] = recorder
            return recorder
        }
    }

    private func write(to snapshot: inout MetricSnapshot) {
        let snapshots = recorders.withLock { $0 }.sorted { $0.key < $1.key }.map { ($0.key, $0.value.snapshot()) }
        // A family without samples says nothing.
        guard !snapshots.isEmpty else { return }
        snapshot.family("rpc_\(side)_active_calls", .gauge, help: "Calls begun and not ended.")
        for (method, calls) in snapshots {
            snapshot.sample(Self.labels(method), Double(calls.active))
        }
        snapshot.family(
            "rpc_\(side)_call_duration_seconds", .histogram, help: "Time from a call's request to its answer.")
        for (method, calls) in snapshots {
            for outcome in calls.outcomes where method != RPCServer.unknownMethod || outcome.code != .ok {
                snapshot.histogram(
                    labels(method, outcome.code),
                    bounds: LatencyHistogram.boundsSeconds, counts: outcome.counts, sum: outcome.seconds)
            }
        }
    }

    private func labels(_ method: String, _ code: Status.Code) -> Labels {
        let status = ("rpc_response_status_code", code.name)
        let isError = side == .client ? code != .ok : code.isServerError
        return isError ? Self.labels(method, status, ("error_type", code.name)) : Self.labels(method, status)
    }

    private static func labels(_ method: String, _ more: (String, String)...) -> Labels {
        Labels([("rpc_system_name", "grpc"), ("rpc_method", method)] + more)
    }
}

extension HostPort {
    /// The labels of a series about a server that is called.
    public var labels: [(String, String)] { [("server_address", host), ("server_port", "\(port)")] }
}
