import Logging
import NIOConcurrencyHelpers

/// What all connections of a server share. Immutable but for the set of connections.
final class ServerShared: Sendable {
    let routes: [ServerRoute]
    /// Unknown methods are counted and logged under it.
    let unknownRoute: ServerRoute
    let configuration: RPCServer.Configuration
    let logger: Logger
    let running: RunningCalls
    /// Rate limit of the warning about too many connections.
    let fullLog = Pace(every: .seconds(60))
    let connections = ConnectionSet()

    init(
        routes: [ServerRoute], unknownRoute: ServerRoute, configuration: RPCServer.Configuration,
        logger: Logger
    ) {
        self.running = RunningCalls(max: configuration.callsMax)
        self.routes = routes
        self.unknownRoute = unknownRoute
        self.configuration = configuration
        self.logger = logger
    }
}

/// The connections open now. Safe to use from any thread.
final class ConnectionSet: Sendable {
    /// What connections do, those that are added later included.
    enum Phase {
        /// -> `draining`
        case serving
        /// They finish the calls that they have. -> `over`
        case draining
        /// They are closed. Final.
        case closed
    }

    private struct State {
        var open: [ObjectIdentifier: ServerConnection] = [:]
        var phase = Phase.serving
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = NIOLockedValueBox(State())

    var count: Int { state.withLockedValue { $0.open.count } }

    /// Adds a connection, and returns what it has to do.
    func add(_ connection: ServerConnection) -> Phase {
        state.withLockedValue {
            $0.open[ObjectIdentifier(connection)] = connection
            return $0.phase
        }
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

    /// Sets the phase, also for connections that are added later: one may be accepted before the listener closes and begin
    /// after that.
    ///
    /// - Returns: the open connections.
    func setPhase(_ phase: Phase) -> [ServerConnection] {
        state.withLockedValue {
            if $0.phase != .closed { $0.phase = phase }
            return Array($0.open.values)
        }
    }

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
