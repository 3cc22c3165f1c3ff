import Contracts
import RPC

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
    func size(of batch: [Item]) -> Int { batch.count }
}
