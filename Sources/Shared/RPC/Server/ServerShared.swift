import Logging
import NIOConcurrencyHelpers

/// What all connections of a server share. Immutable but for the set of connections.
final class ServerShared: Sendable {
    let routes: [ServerRoute]
    let configuration: RPCServer.Configuration
    let logger: Logger
    let connections = ConnectionSet()

    init(routes: [ServerRoute], configuration: RPCServer.Configuration, logger: Logger) {
        self.routes = routes
        self.configuration = configuration
        self.logger = logger
    }
}

/// The connections open now. Safe to use from any thread.
final class ConnectionSet: Sendable {
    private struct State {
        var open: [ObjectIdentifier: ServerConnection] = [:]
        var isDraining = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = NIOLockedValueBox(State())

    var count: Int { state.withLockedValue { $0.open.count } }
    var isDraining: Bool { state.withLockedValue { $0.isDraining } }

    func add(_ connection: ServerConnection) {
        state.withLockedValue { $0.open[ObjectIdentifier(connection)] = connection }
    }

    func remove(_ connection: ServerConnection) {
        let waiters = state.withLockedValue { state -> [CheckedContinuation<Void, Never>] in
            state.open[ObjectIdentifier(connection)] = nil
            guard state.open.isEmpty else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Marks the set as draining, so that late comers drain at once; answers the connections there are.
    func beginDrain() -> [ServerConnection] {
        state.withLockedValue {
            $0.isDraining = true
            return Array($0.open.values)
        }
    }

    var all: [ServerConnection] { state.withLockedValue { Array($0.open.values) } }

    /// Returns when no connection is open.
    func waitUntilEmpty() async {
        await withCheckedContinuation { waiter in
            let isEmpty = state.withLockedValue { state in
                if !state.open.isEmpty { state.waiters.append(waiter) }
                return state.open.isEmpty
            }
            if isEmpty { waiter.resume() }
        }
    }
}
