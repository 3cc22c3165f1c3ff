import Synchronization

/// Wakes whoever waits for an event of this process. One raised while nobody waits ends the next wait at once.
final class EventSignal: Sendable {
    private struct State {
        var isRaised = false
        var lastWaiter = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    func raise() {
        let waiters = state.withLock { state in
            // Those who wait now have it; else it is kept for the next one.
            state.isRaised = state.waiters.isEmpty
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }

    /// - Throws: `CancellationError`.
    func wait(timeout: Duration) async throws {
        let ticket = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        let end = ContinuousClock.now + timeout
        let alarm = Task {
            // Cancelled when the wait is over; then there is nobody to wake.
            try? await Task.sleep(until: end)
            wake(ticket)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    // An alarm or a cancellation before this found nobody to wake.
                    if state.isRaised || Task.isCancelled || ContinuousClock.now >= end {
                        state.isRaised = false
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
        alarm.cancel()
        try Task.checkCancellation()
    }

    private func wake(_ ticket: Int) {
        state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume()
    }
}
