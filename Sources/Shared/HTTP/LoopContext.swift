import Logging
import NIOCore
import NIOPosix
import RPC
import Synchronization

/// A connection as its loop sees it, whichever version of HTTP it speaks. On the event loop only.
protocol ServedConnection: AnyObject {
    /// No further requests; those in progress finish.
    func drain()
    /// Closes now, whatever is in progress.
    func abort()
    func checkTimeouts(now: NIODeadline)
}

/// What the connections of one event loop share: the executor of their tasks, the date, the timer, and their list.
///
/// `@unchecked Sendable`: everything that changes is touched on `eventLoop` only; the rest is set once, before anybody else
/// has it. Each method that others call asserts it, but `drain`, which goes there first; `scheduleTick` is called by `add`
/// and by its own timer, both there.
final class LoopContext: @unchecked Sendable {
    let eventLoop: any EventLoop
    let executor: EventLoopExecutor
    let configuration: HTTPServer.Configuration
    let responder: any HTTPResponder
    let logger: Logger
    private let openConnections: OpenConnections

    private var connections: [ObjectIdentifier: any ServedConnection] = [:]
    private var date = HTTPDate()
    private var spareBuffer = ByteBuffer()
    private var tick: Scheduled<Void>?
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

    /// An empty buffer to write responses into; hand it back when it has been passed to the channel.
    func takeBuffer() -> ByteBuffer {
        eventLoop.assertInEventLoop()
        var buffer = ByteBuffer()
        swap(&buffer, &spareBuffer)
        // Reuses the memory if the socket took all of it already, and otherwise leaves it to the channel.
        buffer.clear(minimumCapacity: 1024)
        return buffer
    }

    func giveBack(_ buffer: ByteBuffer) {
        eventLoop.assertInEventLoop()
        if buffer.capacity <= Self.spareBytesMax { spareBuffer = buffer }
    }

    // MARK: Connections

    func add(_ connection: any ServedConnection) {
        eventLoop.assertInEventLoop()
        connections[ObjectIdentifier(connection)] = connection
        if drained != nil {
            connection.drain()
        } else if tick == nil {
            scheduleTick()
        }
    }

    func remove(_ connection: any ServedConnection) {
        eventLoop.assertInEventLoop()
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        openConnections.remove()
        if connections.isEmpty { drained?.succeed() }
    }

    /// `detector` has found its successor, which was added before: the connection goes on as that.
    func replace(_ detector: VersionDetector) {
        eventLoop.assertInEventLoop()
        connections[ObjectIdentifier(detector)] = nil
    }

    /// Ends idle connections, lets the others finish their requests until `timeout`, and then closes what is left.
    func drain(timeout: Duration) async {
        let finished = eventLoop.flatSubmit { () -> EventLoopFuture<Void> in
            if let drained = self.drained { return drained.futureResult }
            let drained = self.eventLoop.makePromise(of: Void.self)
            self.drained = drained
            for connection in Array(self.connections.values) { connection.drain() }
            if self.connections.isEmpty {
                drained.succeed()
            } else {
                let force = self.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
                    for connection in Array(self.connections.values) { connection.abort() }
                }
                drained.futureResult.whenComplete { _ in force.cancel() }
            }
            return drained.futureResult
        }
        // Fails only when the loop has been shut down, and then no connection is left.
        try? await finished.get()
    }

    /// Looks for lapsed timeouts, as long as there are connections.
    private func scheduleTick() {
        tick = eventLoop.scheduleTask(in: TimeAmount(configuration.tickInterval)) {
            self.tick = nil
            let now = NIODeadline.now()
            for connection in Array(self.connections.values) { connection.checkTimeouts(now: now) }
            if !self.connections.isEmpty { self.scheduleTick() }
        }
    }
}

/// The number of connections of a server, over all its loops.
final class OpenConnections: Sendable {
    /// Of a connection that nothing goes over, in bytes: channel, handlers, the buffer that it is read into.
    static let connectionBytes = 6 * 1024

    private let counter = Atomic<Int>(0)
    private let max: Int
    private let memory: MemoryBudget

    init(max: Int, memory: MemoryBudget = MemoryBudget()) {
        self.max = max
        self.memory = memory
    }

    var count: Int { counter.load(ordering: .relaxed) }

    /// Counts one more, unless there are enough or there is no memory for it.
    func add() -> Bool {
        let (before, _) = counter.add(1, ordering: .relaxed)
        if before < max, memory.take(Self.connectionBytes, .connections) { return true }
        counter.subtract(1, ordering: .relaxed)
        return false
    }

    func remove() {
        memory.give(Self.connectionBytes, .connections)
        counter.subtract(1, ordering: .relaxed)
    }
}
