import Synchronization

/// Closed until it is opened once, for good. Usable from any thread.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        /// One for each waiter, which resumes when it is finished. Those of cancelled waiters stay until the gate opens.
        var waiting: [AsyncStream<Void>.Continuation] = []
    }

    private let state = Mutex(State())

    var isOpen: Bool { state.withLock { $0.isOpen } }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.finish() }
    }

    /// Returns when the gate is open.
    ///
    /// - Throws: `CancellationError` when the task is cancelled and the gate is still closed.
    func waitUntilOpen() async throws {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        state.withLock { state in
            if state.isOpen { continuation.finish() } else { state.waiting.append(continuation) }
        }
        // Ends when the task is cancelled, too.
        for await _ in stream {}
        guard isOpen else { throw CancellationError() }
    }
}
