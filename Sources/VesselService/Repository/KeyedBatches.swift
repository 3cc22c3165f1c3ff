import RPC
import Synchronization

/// Does what many callers want of the same thing in one go: who comes while others are at it waits, and all that wait go
/// together next, in the order in which they came.
final class KeyedBatches<Item: Sendable, Value: Sendable>: Sendable {
    /// Does all of these; answers as many results, in the same order.
    typealias Body = @Sendable (_ key: String, [Item]) async -> [Result<Value, any Error>]

    private struct Waiting {
        let item: Item
        let continuation: CheckedContinuation<Turn, Never>
    }

    private enum Turn: Sendable {
        case done(Result<Value, any Error>)
        /// To do one's own and these.
        case lead([Waiting])
    }

    private let countMax: Int
    private let body: Body
    /// Who waits for a key that somebody is at.
    private let waiting = Mutex<[ByteKey: [Waiting]]>([:])

    /// - Parameter countMax: items that are done in one go, at least 1.
    init(countMax: Int, _ body: @escaping Body) {
        self.countMax = countMax
        self.body = body
    }

    /// - Throws: what the item's result is.
    func result(of item: Item, for text: String) async throws -> Value {
        let key = ByteKey(text)
        let turn = await withCheckedContinuation { continuation in
            let isFirst = waiting.withLock { waiting in
                guard waiting[key] != nil else {
                    waiting[key] = []
                    return true
                }
                waiting[key]?.append(Waiting(item: item, continuation: continuation))
                return false
            }
            if isFirst { continuation.resume(returning: .lead([])) }
        }
        switch turn {
        case .done(let result): return try result.get()
        case .lead(let others):
            // A task of its own, as the others' must not end because this caller goes away.
            let results = await Task { [body] in await body(text, [item] + others.map(\.item)) }.value
            for (waiting, result) in zip(others, results.dropFirst()) {
                waiting.continuation.resume(returning: .done(result))
            }
            pass(key)
            return try results[0].get()
        }
    }

    /// How many wait while others are at it.
    func waitingCount(for text: String) -> Int {
        waiting.withLock { $0[ByteKey(text)]?.count ?? 0 }
    }

    private func pass(_ key: ByteKey) {
        let next = waiting.withLock { waiting -> [Waiting] in
            guard let all = waiting[key], !all.isEmpty else {
                waiting[key] = nil
                return []
            }
            waiting[key] = Array(all.dropFirst(countMax))
            return Array(all.prefix(countMax))
        }
        next.first?.continuation.resume(returning: .lead(Array(next.dropFirst())))
    }
}
