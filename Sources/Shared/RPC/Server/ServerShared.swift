import Logging
import NIOCore
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

/// Room for new connections: at the limit, and without memory or descriptors for another, idle ones are closed.
extension ServerShared {
    /// Idle connections that are closed when there is no descriptor left.
    private static let evictionsPerShortage = 16

    /// Counts a new connection until it is closed; false when there is no room for it.
    func admit(_ newcomer: any Channel) -> Bool {
        let memory = configuration.memory
        let isBelowLimit = acceptedCount.add(1, ordering: .relaxed).oldValue < configuration.connectionsMax
        let hasMemory = memory.take(RPCServer.connectionBytes, .connections)
        // The connection that makes room gives as much back.
        if !hasMemory { memory.takeUnchecked(RPCServer.connectionBytes, .connections) }
        newcomer.closeFuture.whenComplete { _ in
            memory.release(RPCServer.connectionBytes, .connections)
            self.acceptedCount.subtract(1, ordering: .relaxed)
        }
        if isBelowLimit && hasMemory { return true }
        if fullLog.isDue() {
            let cause = hasMemory ? "too many connections" : "no memory for more connections"
            logger.warning(
                "\(cause); idle ones make room for new ones", metadata: ["connections": "\(connections.count)"])
        }
        return false
    }

    /// Closes the connection that has been idle for longest, or `newcomer` when none is idle.
    func makeRoom(for newcomer: any Channel) {
        evictLongestIdle { newcomer.close(promise: nil) }
    }

    /// Closes idle connections when the system has no descriptor for the next one.
    func freeDescriptors() {
        for _ in 0..<Self.evictionsPerShortage { evictLongestIdle {} }
    }

    /// - Parameter otherwise: called when no connection is idle.
    private func evictLongestIdle(otherwise: @escaping @Sendable () -> Void) {
        let grace = UInt64(clamping: TimeAmount(configuration.idleGrace).nanoseconds)
        let now = NIODeadline.now().uptimeNanoseconds
        guard let idle = connections.takeLongestIdle(since: now - min(now, grace)), let executor = idle.executor else {
            return otherwise()
        }
        executor.eventLoop.execute {
            // A call may have come meanwhile.
            if !idle.evict() { self.evictLongestIdle(otherwise: otherwise) }
        }
    }
}
