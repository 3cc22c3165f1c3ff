import Synchronization

/// Wakes the task that waits for work of this process. A notification while none waits ends the next wait at once.
package final class WakeupSignal: Sendable {
    private struct State {
        var isNotified = false
        var lastWaiter = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// Ends the waits that are on, or the next one. May be called on any thread.
    package func notify() {
        let waiters = state.withLock { state in
            // Those who wait now have it; else it is kept for the next one.
            state.isNotified = state.waiters.isEmpty
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Waits for a notification, or until `timeout` is over.
    ///
    /// - Parameter timeout: `nil` for none.
    /// - Throws: `CancellationError`.
    package func wait(timeout: Duration? = nil) async throws {
        let ticket = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        let end = timeout.map { ContinuousClock.now + $0 }
        let timer = end.map { end in
            Task {
                // Cancelled when the wait is over; then there is no task to wake.
                try? await Task.sleep(until: end)
                wake(ticket)
            }
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    // A timer or a cancellation before this found no task to wake.
                    let isLate = end.map { ContinuousClock.now >= $0 } ?? false
                    if state.isNotified || Task.isCancelled || isLate {
                        state.isNotified = false
                        return true
                    }
                    state.waiters[ticket] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            wake(ticket)
        }
        timer?.cancel()
        try Task.checkCancellation()
    }

    private func wake(_ ticket: Int) {
        state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume()
    }
}
