import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// One address of a service on one event loop: carries out what ``SubchannelState`` decides.
///
/// `@unchecked Sendable`: callbacks and timers carry it, and all of them run on the loop of its ``LoopClient``: the bootstrap's
/// group is that loop alone, so that its futures are that loop's. ``LoopClient`` makes and calls it there, and its connections
/// have their channels there (asserted where calls come from outside, and in `perform(_:)`, which all else goes through).
final class Subchannel: ClientConnectionOwner, @unchecked Sendable {
    let address: SocketAddress
    /// A cycle while the subchannel is in use; ``LoopClient/shutdown()`` and ``LoopClient/update(_:)`` break it.
    private let loop: LoopClient
    private var machine: SubchannelState
    /// The connection that is being made or takes calls.
    private var connection: ClientConnection?
    private var readySince = NIODeadline.now()
    /// Timer of the next attempt.
    private var retryTimer: Scheduled<Void>?
    /// Those that take no new calls and finish the ones they have.
    private var draining: [ClientConnection] = []

    init(_ address: SocketAddress, _ loop: LoopClient) {
        self.address = address
        self.loop = loop
        self.machine = SubchannelState(backoff: loop.configuration.backoffWithinWait)
    }

    var isIdle: Bool { machine.state == .idle }
    var isConnecting: Bool { machine.state == .connecting }
    var isReady: Bool { machine.state == .ready }
    var isRetired: Bool { machine.state == .retired }

    func connectIfIdle() {
        loop.eventLoop.assertInEventLoop()
        perform(machine.connectIfIdle())
    }

    /// Another event loop has just connected to the address: ends the wait for the next attempt.
    func otherLoopConnected() {
        loop.eventLoop.assertInEventLoop()
        perform(machine.otherLoopConnected())
    }

    /// The name has lost the address. Goes on taking calls while it is connected (``isRetired``), else it is of no more use.
    func retire() {
        loop.eventLoop.assertInEventLoop()
        machine.retire()
    }

    /// The name has the address, perhaps again.
    func restore() {
        loop.eventLoop.assertInEventLoop()
        machine.restore()
    }

    /// The address is no longer used: no new calls, and the end once those in flight are done.
    func remove(closingNow: Bool = false) {
        loop.eventLoop.assertInEventLoop()
        machine.remove()
        retryTimer?.cancel()
        retryTimer = nil
        if let connection {
            loop.becameUnready(connection)
            if closingNow || connection.inFlight == 0 { connection.close() } else { draining.append(connection) }
            self.connection = nil
        }
        if closingNow {
            for connection in draining { connection.close() }
            draining = []
        }
    }

    private func perform(_ action: SubchannelState.Action) {
        loop.eventLoop.assertInEventLoop()
        switch action {
        case .nothing: break
        case .connect:
            retryTimer?.cancel()
            retryTimer = nil
            connect()
        case .wait(let duration):
            retryTimer = loop.eventLoop.scheduleTask(in: TimeAmount(duration)) { [weak self] in
                guard let self else { return }
                self.perform(self.machine.retry())
            }
        }
    }

    private func connect() {
        let configuration = loop.configuration
        let connection = ClientConnection(configuration, owner: self)
        self.connection = connection
        ClientBootstrap(group: loop.eventLoop)
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.recvAllocator, value: ReadBufferAllocator())
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls = configuration.tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: configuration.target.serverName))
                    }
                    guard let transport = connection.transport else { throw ChannelError.alreadyClosed }
                    try channel.pipeline.syncOperations.addHandler(transport)
                }
            }
            .connect(to: address)
            .whenFailure { error in
                self.attemptFailed(connection, error)
            }
    }

    private func attemptFailed(_ failed: ClientConnection, _ error: any Error) {
        failed.discard()
        guard connection === failed else { return }
        connection = nil
        loop.logger.debug("can't connect", metadata: ["address": "\(address)", "error": "\(error)"])
        perform(machine.failed(random: loop.randomShare))
        loop.resolveAgain()
        loop.failQueuedCallsIfUnreachable()
    }

    // MARK: What the connection says

    func connectionIsReady(_ connection: ClientConnection) {
        guard connection === self.connection, machine.state == .connecting else {
            if connection !== self.connection { connection.close() }
            return
        }
        machine.connected()
        readySince = .now()
        loop.becameReady(connection, address)
    }

    func connectionMayTakeMore(_ connection: ClientConnection) {
        loop.connectionsChanged()
    }

    func connectionIsDraining(_ connection: ClientConnection) {
        guard connection === self.connection else { return }
        loop.becameUnready(connection)
        draining.append(connection)
        self.connection = nil
        perform(ended(connection))
        loop.releaseRetired()
        loop.resolveAgain()
        loop.failQueuedCallsIfUnreachable()
    }

    func connectionClosed(_ connection: ClientConnection) {
        draining.removeAll { $0 === connection }
        guard connection === self.connection else { return }
        loop.becameUnready(connection)
        self.connection = nil
        loop.logger.debug("connection closed", metadata: ["address": "\(address)"])
        perform(machine.state == .connecting ? machine.failed(random: loop.randomShare) : ended(connection))
        loop.releaseRetired()
        loop.resolveAgain()
        loop.failQueuedCallsIfUnreachable()
    }

    private func ended(_ connection: ClientConnection) -> SubchannelState.Action {
        machine.ended(
            lived: Duration(NIODeadline.now() - readySince), hasAnswered: connection.hasAnswered,
            random: loop.randomShare)
    }

    func connection(_ connection: ClientConnection, ended call: ClientCall, _ outcome: ClientCall.Outcome) {
        loop.end(call, outcome)
        if machine.state == .shutdown, connection.inFlight == 0 { connection.close() }
    }
}

extension HostPort {
    /// For SNI, which names hosts, not addresses (RFC 6066 section 3).
    fileprivate var serverName: String? {
        (try? SocketAddress(ipAddress: host, port: port)) == nil ? host : nil
    }
}
