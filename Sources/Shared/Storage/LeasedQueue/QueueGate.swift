import NIOCore
import RPC
import Synchronization

/// Holds a whole worker back after a fault that stands in the way of every item alike.
///
/// The worker pauses, longer each time, and then tries with one item until a try gets through: neither is a server
/// flooded nor an account locked.
package final class QueueGate: Sendable {
    private struct State {
        /// Faults in a row.
        var faults = 0
        var pausedUntil: NIODeadline?
    }

    private let pause: Backoff
    private let state = Mutex(State())

    /// - Parameter pause: after the first fault, the second, ….
    package init(pause: Backoff = Backoff()) {
        self.pause = pause
    }

    /// Whether a fault has not been followed by a try that got through.
    package var isHeld: Bool { state.withLock { $0.faults > 0 } }

    /// How many items may be worked on, of `concurrencyMax`.
    package func concurrency(of concurrencyMax: Int, now: NIODeadline = .now()) -> Int {
        state.withLock { state in
            if let pausedUntil = state.pausedUntil, now < pausedUntil { return 0 }
            return state.faults > 0 ? min(1, concurrencyMax) : concurrencyMax
        }
    }

    /// A try got through, whatever became of its item.
    package func open() { state.withLock { $0 = State() } }

    /// A try met a fault.
    ///
    /// - Parameter random: 0 ..< 1.
    /// - Returns: how long nothing is tried. Faults of tries that went on together count as one.
    package func fault(now: NIODeadline = .now(), random: Double = .random(in: 0..<1)) -> Duration {
        state.withLock { state in
            if let pausedUntil = state.pausedUntil, now < pausedUntil {
                return .nanoseconds((pausedUntil - now).nanoseconds)
            }
            state.faults += 1
            let wait = pause.wait(after: state.faults, random: random)
            state.pausedUntil = now + TimeAmount(wait)
            return wait
        }
    }
}
