import Foundation

@testable import Storage

/// A store for tests: it can be unreachable, and can hold calls up.
final class FakeStore: Sendable {
    struct State {
        var isAway = false
        var connectionCount = 0
        var closedCount = 0
        var isHolding = false
        var batchSizes: [Int] = []
        var batchError: StorageError?
    }

    let state = Monitor(State())

    func connect() throws -> FakeConnection {
        try state.withLock { state in
            if state.isAway { throw StorageError(.connectionLost, "the store is away") }
            state.connectionCount += 1
        }
        return FakeConnection(store: self)
    }

    /// Blocks the calling pool thread while calls are held up.
    func passGate() {
        while state.withLock({ $0.isHolding }) { sched_yield() }
    }
}

final class FakeConnection: PooledConnection {
    let store: FakeStore
    var jobCount = 0

    init(store: FakeStore) { self.store = store }

    func runBatch(_ jobs: () -> Void) throws {
        jobCount = 0
        jobs()
        try store.state.withLock { state in
            state.batchSizes.append(jobCount)
            if let error = state.batchError { throw error }
        }
    }

    func ping() throws {
        if store.state.withLock({ $0.isAway }) { throw StorageError(.connectionLost, "no sign of life") }
    }

    func close() { store.state.withLock { $0.closedCount += 1 } }
}
