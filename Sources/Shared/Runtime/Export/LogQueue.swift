import Contracts
import RPC
import Traces

/// Lines of the log that wait to be exported.
struct LogQueue: ExportQueue {
    let buffer: LogBuffer
    /// Lines that are sent at once at most.
    let batchMax: Int
    let resource: Otlp_Resource

    /// The lines are here already.
    func collect() {}

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
