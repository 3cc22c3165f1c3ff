import Contracts
import RPC
import Synchronization

/// All metrics of the program, read when their time has come, in parts that fit into a message.
///
/// Values are cumulative: what could not be sent is in the next export too, which replaces it here.
final class MetricQueue: ExportQueue {
    /// Points that are sent at once at most, but for a family that has more by itself. A histogram's takes about 500
    /// bytes, and a message may take 4 MiB.
    static let batchPointsMax = 1_000

    private let registry: MetricsRegistry
    private let resource: Otlp_Resource
    private let pending = Mutex<[Otlp_Metric]>([])

    init(_ registry: MetricsRegistry, resource: Otlp_Resource) {
        self.registry = registry
        self.resource = resource
    }

    func collect() {
        let metrics = MetricMessage.metrics(registry.snapshot(), since: registry.start, at: .now())
        pending.withLock { $0 = metrics }
    }

    func takeBatch() -> [Otlp_Metric] {
        pending.withLock { waiting in
            var (count, points) = (0, 0)
            while count < waiting.count {
                points += MetricMessage.points(of: waiting[count])
                if count > 0, points > Self.batchPointsMax { break }
                count += 1
            }
            let batch = Array(waiting.prefix(count))
            waiting.removeFirst(count)
            return batch
        }
    }

    var hasFullBatch: Bool { count > 0 }

    var count: Int { pending.withLock { $0.count } }

    /// What is replaced is not lost.
    var dropped: Int { 0 }

    func size(of batch: [Otlp_Metric]) -> Int { batch.reduce(0) { $0 + MetricMessage.points(of: $1) } }

    func send(
        _ batch: [Otlp_Metric], by client: RPCClient, _ headers: Metadata, _ deadline: Deadline
    ) async throws -> Otlp_ExportResponse {
        let request = MetricMessage.request(batch, resource)
        return try await client.call(MetricMethods.export, request, metadata: headers, deadline: deadline)
    }
}
