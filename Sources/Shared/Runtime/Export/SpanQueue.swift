import Contracts
import RPC
import Traces

/// Finished spans that wait to be exported.
struct SpanQueue: ExportQueue {
    let buffer: SpanBuffer
    /// Spans that are sent at once at most.
    let batchMax: Int
    let resource: Otlp_Resource

    /// The spans are here already.
    func collect() {}

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
