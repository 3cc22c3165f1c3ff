import NIOCore
import RPC
import Synchronization

/// Pauses a whole worker after a fault that affects every item alike, such as a server that is away.
///
/// The worker pauses, longer each time, and then tries one item at a time until one gets through: so it neither floods a
/// server nor locks an account. May be used on any thread.
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

    /// How many items may be worked on now: 0 during a pause, 1 after a fault, else `concurrencyMax`.
    package func concurrency(of concurrencyMax: Int, now: NIODeadline = .now()) -> Int {
        state.withLock { state in
            if let pausedUntil = state.pausedUntil, now < pausedUntil { return 0 }
            return state.faults > 0 ? min(1, concurrencyMax) : concurrencyMax
        }
    }

    /// To be called when a try got through, whatever its outcome: ends the restriction.
    package func open() { state.withLock { $0 = State() } }

    /// To be called when a try met a fault: begins a pause, unless one is on.
    ///
    /// - Parameter random: 0 ..< 1.
    /// - Returns: how long nothing is tried from now on. Faults during a pause, of concurrent tries, count as one.
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
