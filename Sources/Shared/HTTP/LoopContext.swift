import Logging
import NIOCore
import NIOPosix
import RPC
import Synchronization

/// A connection as its loop sees it, whichever version of HTTP it speaks. On the event loop only.
protocol ServedConnection: AnyObject {
    /// No further requests but what may be on its way; those in progress finish.
    func drain()
    /// Closes now if nothing is in progress. After ``drain()``.
    func endIdle()
    /// Closes now, whatever is in progress.
    func abort()
    func checkTimeouts(now: NIODeadline)
    /// Order in which connections are closed for others, smallest first; `nil` while it works on a request. It is the value
    /// of ``LoopContext/nextUse()`` at the last use; with ``partialRequest`` added while part of a request has come.
    var evictionOrder: UInt64? { get }
    /// Closes a connection that has an ``evictionOrder`` because another needs its place.
    func evict()
}

extension ServedConnection {
    /// Puts connections with part of a request, or of a TLS handshake, behind all idle ones.
    static var partialRequest: UInt64 { 1 << 63 }
}

/// What the connections of one event loop share: the executor of their tasks, the date, the timer, and their list.
///
/// `@unchecked Sendable`: everything that changes is touched on `eventLoop` only; the rest is set by `init`, before the
/// object is shared. Each method that others call asserts it, but `drain`, which goes there first; `scheduleTick` is called
/// by `add` and by its own timer, both there.
final class LoopContext: @unchecked Sendable {
    /// What becomes of connections, those that are still to come included.
    private enum Phase {
        /// -> `draining`, or `ending` when there is no connection.
        case serving
        /// Each is told so with its next answer. -> `ending`
        case draining
        /// Those without a request in progress are closed. Final.
        case ending
    }

    let eventLoop: any EventLoop
    let executor: EventLoopExecutor
    let configuration: HTTPServer.Configuration
    let responder: any HTTPResponder
    let logger: Logger
    private let openConnections: OpenConnections

    private var connections = ConnectionList()
    private var uses: UInt64 = 0
    private var date = HTTPDate()
    private var spareBuffer = ByteBuffer()
    private var tick: Scheduled<Void>?
    private var phase = Phase.serving
    private var drained: EventLoopPromise<Void>?

    /// A buffer that grew beyond this is not kept.
    private static let spareBytesMax = 64 * 1024

    init(
        eventLoop: any EventLoop, configuration: HTTPServer.Configuration, responder: any HTTPResponder,
        openConnections: OpenConnections, logger: Logger
    ) {
        self.eventLoop = eventLoop
        self.executor = EventLoopExecutor(eventLoop)
        self.configuration = configuration
        self.responder = responder
        self.openConnections = openConnections
        self.logger = logger
    }

    /// The `date` header's text.
    var dateText: String {
        eventLoop.assertInEventLoop()
        return date.now()
    }

    // MARK: Buffers

    /// An empty buffer to write responses into; return it when it has been passed to the channel.
    func takeBuffer() -> ByteBuffer {
        eventLoop.assertInEventLoop()
        var buffer = ByteBuffer()
        swap(&buffer, &spareBuffer)
        // Reuses the memory if the socket took all of it already, and otherwise leaves it to the channel.
        buffer.clear(minimumCapacity: 1024)
        return buffer
    }

    /// Takes a buffer of ``takeBuffer()`` for the next response.
    func returnBuffer(_ buffer: ByteBuffer) {
        eventLoop.assertInEventLoop()
        if buffer.capacity <= Self.spareBytesMax { spareBuffer = buffer }
    }

    // MARK: Connections

    func add(_ connection: any ServedConnection) {
        eventLoop.assertInEventLoop()
        connections.add(connection)
        if tick == nil, phase != .ending { scheduleTick() }
        applyPhase(connection)
    }

    private func applyPhase(_ connection: any ServedConnection) {
        switch phase {
        case .serving: break
        case .draining: connection.drain()
        case .ending:
            connection.drain()
            connection.endIdle()
        }
    }

    func remove(_ connection: any ServedConnection) {
        eventLoop.assertInEventLoop()
        let (isKnown, address) = connections.remove(connection)
        guard isKnown else { return }
        openConnections.remove()
        if let address { openConnections.remove(from: address) }
        if connections.isEmpty { drained?.succeed() }
    }

    /// Replaces `detector` by the connection for the protocol that it detected.
    func replace(_ detector: VersionDetector, by successor: any ServedConnection) {
        eventLoop.assertInEventLoop()
        connections.replace(detector, by: successor)
        applyPhase(successor)
    }

    /// Counts a connection for its address. Above the limit, the connection of that address that has been idle for
    /// about the longest is closed, or one with part of a request; when all have requests, the new one is closed.
    func setAddress(_ address: SocketAddress?, of detector: VersionDetector, _ channel: any Channel) {
        eventLoop.assertInEventLoop()
        guard let limit = configuration.addressLimit, let key = address.flatMap(limit.key) else { return }
        if openConnections.add(from: key) > limit.connectionsMax { makeRoom(for: channel, from: key) }
        connections.setAddress(key, of: detector)
    }

    /// Closes a connection without a request to make room for a newcomer, or the newcomer when there is none.
    ///
    /// - Parameter address: only connections of this address; `nil` for any.
    func makeRoom(for newcomer: any Channel, from address: UInt64? = nil) {
        eventLoop.assertInEventLoop()
        if !evict(from: address) { openConnections.makeRoom(for: newcomer, from: address, besides: self) }
    }

    /// Closes a connection of this loop that has no request, idle ones first; false when all have one.
    func evict(from address: UInt64? = nil) -> Bool {
        eventLoop.assertInEventLoop()
        guard let victim = connections.firstToEvict(from: address) else { return false }
        victim.evict()
        return true
    }

    /// A number that grows with each use of a connection: the one with the smallest number has been idle the longest.
    func nextUse() -> UInt64 {
        eventLoop.assertInEventLoop()
        uses += 1
        return uses
    }

    /// Lets connections finish their requests, and idle ones send one more for a while; closes at `timeout` what is left.
    func drain(timeout: Duration) async {
        let finished = eventLoop.flatSubmit { () -> EventLoopFuture<Void> in
            if let drained = self.drained { return drained.futureResult }
            let drained = self.eventLoop.makePromise(of: Void.self)
            self.drained = drained
            self.phase = .draining
            for connection in self.connections.all { connection.drain() }
            if self.connections.isEmpty {
                self.phase = .ending
                drained.succeed()
            } else {
                let idleTime = min(self.configuration.drainIdleTimeout, timeout / 2)
                let idle = self.eventLoop.scheduleTask(in: TimeAmount(idleTime)) { self.endIdle() }
                let force = self.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
                    for connection in self.connections.all { connection.abort() }
                }
                drained.futureResult.whenComplete { _ in
                    idle.cancel()
                    force.cancel()
                }
            }
            return drained.futureResult
        }
        // Fails only when the loop has been shut down, and then no connection is left.
        try? await finished.get()
    }

    private func endIdle() {
        phase = .ending
        for connection in connections.all { connection.endIdle() }
    }

    /// Looks for lapsed timeouts, as long as there are connections.
    private func scheduleTick() {
        tick = eventLoop.scheduleTask(in: TimeAmount(configuration.tickInterval)) {
            self.tick = nil
            let now = NIODeadline.now()
            for connection in self.connections.all { connection.checkTimeouts(now: now) }
            if !self.connections.isEmpty { self.scheduleTick() }
        }
    }
}
