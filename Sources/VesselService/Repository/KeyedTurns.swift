import RPC
import Synchronization

/// Lets tasks that want the same thing have it one after the other, in the order in which they came.
final class KeyedTurns: Sendable {
    /// Who waits for a key that somebody has.
    private let waiting = Mutex<[ByteKey: [CheckedContinuation<Void, Never>]]>([:])

    /// Runs `body` while no other runs for the same text.
    func inTurn<Value: Sendable>(
        _ text: String, _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        let key = ByteKey(text)
        await withCheckedContinuation { continuation in
            let isFirst = waiting.withLock { waiting in
                guard waiting[key] != nil else {
                    waiting[key] = []
                    return true
                }
                waiting[key]?.append(continuation)
                return false
            }
            if isFirst { continuation.resume() }
        }
        defer { pass(key) }
        return try await body()
    }

    private func pass(_ key: ByteKey) {
        let next = waiting.withLock { waiting -> CheckedContinuation<Void, Never>? in
            guard let queue = waiting[key], !queue.isEmpty else {
                waiting[key] = nil
                return nil
            }
            return waiting[key]?.removeFirst()
        }
        next?.resume()
    }
}
