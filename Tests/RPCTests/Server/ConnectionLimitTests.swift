import NIOCore
import NIOSSL
import TestSupport
import Testing

@testable import RPC

@Suite("A server without room for another connection", .turns)
struct ConnectionLimitTests {
    private static let echo = Frame.request(1, "/test.Test/Echo").bytes
    private static let message = Frame.message(1, []).bytes

    /// A peer that has sent these frames, all of which the server has read.
    private static func connect(_ port: Int, _ bytes: [UInt8] = []) throws -> Peer {
        let socket = try RawPeer(port: port)
        socket.send(Frame.hello + bytes)
        var peer = Peer(socket: socket)
        guard peer.isServed() else { throw SocketFailure("not served") }
        return peer
    }

    private struct Peer {
        let socket: RawPeer
        var reader = FrameReader()

        /// Whether the server answers a PING.
        mutating func isServed() -> Bool {
            socket.send(Frame(.ping, stream: 0, [UInt8](repeating: 1, count: 8)).bytes)
            return socket.next(.ping, &reader, flags: Frame.acknowledgement) != nil
        }

        /// Whether a call that was begun on stream 1 is answered.
        mutating func isAnswered() -> Bool {
            socket.send(ConnectionLimitTests.message)
            return socket.next(.data, &reader, on: 1) != nil
        }
    }

    @Test("a newcomer replaces the connection that has been without calls for longest, which gets GOAWAY")
    func idle() async throws {
        try await withServer({
            $0.connectionsMax = 2
            $0.idleGrace = .zero
        }) { server in
            try await onThread {
                var first = try Self.connect(server.port)
                var second = try Self.connect(server.port)
                // So that the second has been idle for longer.
                first.socket.send(Self.echo)
                let isFirstAnswered = first.isAnswered()
                #expect(isFirstAnswered)
                var newcomer = try Self.connect(server.port, Self.echo)
                let isAnswered = newcomer.isAnswered()
                #expect(isAnswered)
                let goAway = second.socket.next(.goAway, &second.reader)
                #expect(goAway?.payload == Frame.goAway(last: 0).payload)
                let hasEnded = second.socket.waitForEnd()
                #expect(hasEnded)
                let isFirstServed = first.isServed()
                #expect(isFirstServed)
            }
        }
    }

    @Test("a newcomer replaces a peer that does not finish its handshake", arguments: [false, true])
    func handshake(isTLS: Bool) async throws {
        let certificates = try await Certificates()
        let serverTLS: NIOSSLContext? = try isTLS ? certificates.serverContext() : nil
        let clientTLS: NIOSSLContext? = try isTLS ? certificates.clientContext() : nil
        try await withServer({
            $0.tls = serverTLS
            $0.connectionsMax = 1
            $0.idleGrace = .zero
        }) { server in
            let silent = try await onThread {
                let peer = try RawPeer(port: server.port)
                if isTLS { peer.send([0x16, 0x03, 0x01, 0x01, 0x00, 0x01]) }
                return peer
            }
            try await eventually("the connection") { server.server.connectionCount == 1 }
            try await withClient(server.port, { $0.tls = clientTLS }) { client in
                let answer = try await client.echo("newcomer")
                #expect(answer.name == "newcomer")
            }
            let hasEnded = try await onThread { silent.waitForEnd() }
            #expect(hasEnded)
        }
    }

    @Test("over TLS an idle connection makes room, too")
    func idleTLS() async throws {
        let certificates = try await Certificates()
        let serverTLS = try certificates.serverContext()
        let clientTLS = try certificates.clientContext()
        try await withServer({
            $0.tls = serverTLS
            $0.connectionsMax = 1
            $0.idleGrace = .zero
        }) { server in
            try await withClient(server.port, { $0.tls = clientTLS }) { first in
                _ = try await first.echo("first")
                try await withClient(server.port, { $0.tls = clientTLS }) { newcomer in
                    let answer = try await newcomer.echo("newcomer")
                    #expect(answer.name == "newcomer")
                }
            }
        }
    }

    @Test("a connection with a call in progress stays, and its call is answered")
    func busy() async throws {
        try await withServer({
            $0.connectionsMax = 2
            $0.idleGrace = .zero
        }) { server in
            try await onThread {
                var first = try Self.connect(server.port, Self.echo)
                let idle = try Self.connect(server.port)
                var second = try Self.connect(server.port, Self.echo)
                let hasEnded = idle.socket.waitForEnd()
                #expect(hasEnded)
                let third = try RawPeer(port: server.port)
                let isRejected = third.waitForEnd()
                #expect(isRejected)
                let areAnswered = [first.isAnswered(), second.isAnswered()]
                #expect(areAnswered == [true, true])
            }
        }
    }

    @Test("an idle connection is closed when there is no memory for another")
    func memory() async throws {
        let memory = MemoryBudget(limitBytes: 64 * 1024 * 1024)
        try await withServer({
            $0.memory = memory
            $0.idleGrace = .zero
        }) { server in
            let rest = memory.bytesMax(.connections) - RPCServer.connectionBytes
            #expect(memory.take(rest, .connections))
            try await onThread {
                let first = try Self.connect(server.port)
                var newcomer = try Self.connect(server.port, Self.echo)
                let isAnswered = newcomer.isAnswered()
                #expect(isAnswered)
                let hasEnded = first.socket.waitForEnd()
                #expect(hasEnded)
                newcomer.socket.end()
            }
            try await eventually("the memory to come back") { memory.usedBytes(.connections) == rest }
        }
    }

    @Test("idle connections are closed when the system has no descriptor left")
    func descriptors() async throws {
        try await withServer({ $0.idleGrace = .zero }) { server in
            let (busy, idle) = try await onThread {
                (try Self.connect(server.port, Self.echo), try Self.connect(server.port))
            }
            let listener = server.server.listener.withLockedValue { $0 }
            // EMFILE
            listener?.pipeline.fireErrorCaught(IOError(errnoCode: 24, reason: "accept"))
            let (hasEnded, isAnswered) = try await onThread {
                var busy = busy
                return (idle.socket.waitForEnd(), busy.isAnswered())
            }
            #expect(hasEnded && isAnswered)
            try await server.servesAGoodClient()
        }
    }

    @Test("newcomers without room are one line of the log, however many they are", arguments: [true, false])
    func warnings(hasMemory: Bool) async throws {
        let log = LogCapture()
        let memory = MemoryBudget()
        let taken = hasMemory ? 0 : memory.bytesMax(.connections)
        #expect(memory.take(taken, .connections))
        var configuration = RPCServer.Configuration(address: HostPort(host: "127.0.0.1", port: 0))
        configuration.memory = memory
        if hasMemory { configuration.connectionsMax = 0 }
        let server = RPCServer(routes: [], configuration: configuration, group: .singleton, logger: log.logger())
        let port = try await server.start().port ?? 0
        let rejected = try await onThread {
            try (0..<5).count { _ in try RawPeer(port: port).waitForEnd() }
        }
        #expect(rejected == 5)
        try await eventually("the memory to come back") { memory.usedBytes(.connections) == taken }
        await server.drain(timeout: .zero)
        let lines = log.text.split(separator: "\n").filter { $0.hasPrefix("warning") }
        let cause = hasMemory ? "warning too many connections" : "warning no memory for more connections"
        let isExpected = lines.count == 1 && lines.allSatisfy { $0.hasPrefix(cause) }
        #expect(isExpected, "\(lines)")
    }
}
