import Contracts
import RPC
import Synchronization
import Traces

/// What waits to be exported, and how it is sent.
protocol ExportQueue: Sendable {
    associatedtype Item: Sendable

    /// Called when the time to export has come, and once more at the program's end.
    func collect()

    /// Takes the oldest items, as many as are sent at once; none when none wait.
    func takeBatch() -> [Item]

    /// Whether what waits need not wait for its time.
    var hasFullBatch: Bool { get }

    /// Items that wait now.
    var count: Int { get }

    /// Items that found no place, since the start.
    var dropped: Int { get }

    /// What a batch counts as.
    func size(of batch: [Item]) -> Int

    /// Sends a batch once.
    ///
    /// - Throws: ``Status`` only.
    func send(
        _ batch: [Item], by client: RPCClient, _ headers: Metadata, _ deadline: Deadline
    ) async throws -> Otlp_ExportResponse
}

extension ExportQueue {
    /// Does nothing: spans and lines are queued when they are made.
    func collect() {}

    func size(of batch: [Item]) -> Int { batch.count }
}

/// Finished spans that wait to be exported.
struct SpanQueue: ExportQueue {
    let buffer: SpanBuffer
    /// Spans that are sent at once at most.
    let batchMax: Int
    let resource: Otlp_Resource

    func takeBatch() -> [FinishedSpan] { buffer.take(batchMax) }

    var hasFullBatch: Bool { buffer.count >= batchMax }

    var count: Int { buffer.count }

    var dropped: Int { buffer.dropped }

    func send(
        _ batch: [FinishedSpan], by client: RPCClient, _ headers: Metadata, _ deadline: Deadline
    ) async throws -> Otlp_ExportResponse {
        let request = SpanMessage.request(batch, resource)
        return try await client.call(TraceMethods.export, request, metadata: headers, deadline: deadline)
    }
}

/// Lines of the log that wait to be exported.
struct LogQueue: ExportQueue {
    let buffer: LogBuffer
    /// Lines that are sent at once at most.
    let batchMax: Int
    let resource: Otlp_Resource

    func takeBatch() -> [LogRecord] { buffer.take(batchMax, bytesMax: LogExportSettings.batchBytesMax) }

    var hasFullBatch: Bool { buffer.count >= batchMax }

    var count: Int { buffer.count }

    var dropped: Int { buffer.dropped }

    func send(
        _ batch: [LogRecord], by client: RPCClient, _ headers: Metadata, _ deadline: Deadline
    ) async throws -> Otlp_ExportResponse {
        let request = LogMessage.request(batch, resource)
        return try await client.call(LogMethods.export, request, metadata: headers, deadline: deadline)
    }
}

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
