import Logging
import Synchronization

/// What all connections of a server share. Immutable but for the set of connections and its counters.
final class ServerShared: Sendable {
    let routes: [ServerRoute]
    /// Unknown methods are counted and logged under it.
    let unknownRoute: ServerRoute
    let configuration: RPCServer.Configuration
    let logger: Logger
    let running: RunningCalls
    /// Rate limit of the warning about too many connections.
    let fullLog = Pace(every: .seconds(60))
    /// Accepted connections that are not closed; some of them have not begun, or are not to begin.
    let acceptedCount = Atomic(0)
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
