import NIOCore
import NIOPosix

/// How a call ended.
enum Ending: Sendable {
    case answered(Response)
    /// The connection could not be made, or was lost, or brought what is no answer.
    case lost
    /// No answer came in time.
    case timedOut
    /// No connection was free in time: all that are allowed were busy.
    case notSent
}

/// Sends calls over a bounded number of connections, which it opens when they are needed.
///
/// A call that finds all of them busy waits for one, in turn, until its time is up: from the moment it was planned on.
/// Lives on its event loop.
final class Client: ClientConnectionOwner {
    /// Nanoseconds after which a connection that nothing was sent over is closed: well before servers do, as a request
    /// that crosses their close is lost (RFC 9112, section 9.3).
    static let idleMax: Int64 = 30_000_000_000

    private let loop: any EventLoop
    private let address: SocketAddress
    private let connectionsMax: Int
    private let timeout: Int64
    private let bytes: (Kind) -> ByteBuffer
    private let ended: (Call, Ending, _ now: Int64) -> Void

    /// The one that was used last is the last.
    private var idle: [ClientConnection] = []
    private var waiting = CircularBuffer<Call>()
    /// All that are not known to be done, in the order of their deadlines.
    private var begun = CircularBuffer<Call>()
    private var opening = 0
    private var isStopped = false

    /// Open ones and those that are being opened.
    private(set) var connectionCount = 0
    private(set) var connectionsMost = 0
    private(set) var connectionsOpened = 0
    /// Calls that have not ended.
    private(set) var underWay = 0

    /// - Parameters:
    ///   - timeout: nanoseconds from the moment a call was planned for.
    ///   - bytes: makes the next request of a kind.
    ///   - ended: hears of the end of each call, once.
    init(
        loop: any EventLoop, address: SocketAddress, connectionsMax: Int, timeout: Int64,
        bytes: @escaping (Kind) -> ByteBuffer, ended: @escaping (Call, Ending, _ now: Int64) -> Void
    ) {
        self.loop = loop
        self.address = address
        self.connectionsMax = connectionsMax
        self.timeout = timeout
        self.bytes = bytes
        self.ended = ended
    }

    static func now() -> Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }

    /// Sends it over a connection that is free, or as soon as one is.
    func submit(_ call: Call) {
        underWay += 1
        begun.append(call)
        if let connection = takeIdle() {
            send(call, over: connection)
            return
        }
        waiting.append(call)
        openIfNeeded()
    }

    /// Ends the calls whose time is up, and the connections that are not needed.
    func sweep(_ now: Int64) {
        while let call = begun.first, call.isDone || call.planned + timeout <= now {
            begun.removeFirst()
            guard !call.isDone else { continue }
            let connection = call.connection
            finish(call, call.sent == nil ? .notSent : .timedOut, now)
            // An answer that comes late would be taken for that of the next call.
            connection?.abort()
        }
        while let call = waiting.first, call.isDone { waiting.removeFirst() }
        while let connection = idle.first, connection.idleSince + Self.idleMax <= now {
            idle.removeFirst()
            connection.close()
        }
    }

    /// Closes all connections. Calls that have not ended are lost.
    func stop() {
        isStopped = true
        let now = Self.now()
        for call in begun where !call.isDone {
            let connection = call.connection
            finish(call, .lost, now)
            connection?.close()
        }
        begun.removeAll()
        waiting.removeAll()
        for connection in idle { connection.close() }
        idle.removeAll()
    }

    private func takeIdle() -> ClientConnection? {
        while let connection = idle.popLast() {
            if connection.isUsable { return connection }
        }
        return nil
    }

    private func takeWaiting() -> Call? {
        while let call = waiting.popFirst() {
            if !call.isDone { return call }
        }
        return nil
    }

    private func send(_ call: Call, over connection: ClientConnection) {
        call.sent = Self.now()
        connection.send(bytes(call.kind), for: call)
    }

    private func finish(_ call: Call, _ ending: Ending, _ now: Int64) {
        guard !call.isDone else { return }
        call.isDone = true
        underWay -= 1
        ended(call, ending, now)
    }

    // MARK: Connections

    private func openIfNeeded() {
        while !isStopped, opening < waiting.count, connectionCount < connectionsMax { open() }
    }

    private func open() {
        opening += 1
        connectionCount += 1
        connectionsMost = max(connectionsMost, connectionCount)
        connectionsOpened += 1
        let owner = NIOLoopBound(self, eventLoop: loop)
        let connected = ClientBootstrap(group: loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(.nanoseconds(timeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ClientConnection(owner: owner.value))
                }
            }
            .connect(to: address)
            .flatMapThrowing { channel in
                NIOLoopBound(
                    try channel.pipeline.syncOperations.handler(type: ClientConnection.self),
                    eventLoop: channel.eventLoop)
            }
        connected.assumeIsolated().whenComplete { [self] result in
            opening -= 1
            switch result {
            case .success(let connection): use(connection.value)
            case .failure:
                connectionCount -= 1
                if let call = takeWaiting() { finish(call, .lost, Self.now()) }
                openIfNeeded()
            }
        }
    }

    /// Gives a connection that is free to the next call.
    private func use(_ connection: ClientConnection) {
        guard !isStopped else { return connection.close() }
        guard connection.isUsable else { return }
        if let call = takeWaiting() {
            send(call, over: connection)
        } else {
            connection.idleSince = Self.now()
            idle.append(connection)
        }
    }

    func connection(_ connection: ClientConnection, answered call: Call, _ response: Response) {
        finish(call, .answered(response), Self.now())
        use(connection)
    }

    func connection(_ connection: ClientConnection, closedWith call: Call?) {
        connectionCount -= 1
        idle.removeAll { $0 === connection }
        if let call { finish(call, .lost, Self.now()) }
        openIfNeeded()
    }
}
