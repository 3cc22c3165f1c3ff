import NIOConcurrencyHelpers
import TestSupport

/// A server that a test plays itself: `play` runs on a thread for each connection.
final class FakeServer: Sendable {
    let listener: RawListener
    private let state = NIOLockedValueBox((accepted: 0, isStopped: false, peers: [RawPeer]()))

    /// - Parameter play: the connection's number, from 0, and the connection; it ends when `play` returns and the
    ///   server is stopped.
    init(_ play: @escaping @Sendable (Int, RawPeer) throws -> Void) throws {
        listener = try RawListener()
        let (listener, state) = (listener, state)
        Task.detached {
            while !state.withLockedValue({ $0.isStopped }) {
                guard let peer = try? await onThread({ try listener.accept(patience: 0.1) }) else { continue }
                let number = state.withLockedValue { state in
                    state.accepted += 1
                    state.peers.append(peer)
                    return state.accepted - 1
                }
                Task.detached { try? await onThread { try play(number, peer) } }
            }
        }
    }

    var port: Int { listener.port }

    /// Connections so far.
    var accepted: Int { state.withLockedValue { $0.accepted } }

    func stop() {
        let peers = state.withLockedValue { state in
            state.isStopped = true
            defer { state.peers = [] }
            return state.peers
        }
        for peer in peers { peer.end() }
    }

    deinit {
        stop()
    }
}

/// Counts from any thread.
final class Counter: Sendable {
    private let box = NIOLockedValueBox(0)

    var value: Int { box.withLockedValue { $0 } }

    @discardableResult
    func increment() -> Int {
        box.withLockedValue { count in
            count += 1
            return count
        }
    }
}
