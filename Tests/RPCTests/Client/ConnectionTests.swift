import Contracts
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import RPC

/// What a client does while there is no good connection.
@Suite("A client without a good connection", .turns)
struct ConnectionTests {
    @Test("nothing listens: UNAVAILABLE after the wait for a connection, long before the deadline; at once for a probe")
    func nothingListens() async throws {
        let port = try Ports.free()
        try await withClient(port, { $0.connectWait = .milliseconds(700) }) { client in
            for method in [TestMethods.echo, TestMethods.idempotentEcho] {
                let began = NIODeadline.now()
                let status = await client.status(of: method)
                let waited = NIODeadline.now() - began
                #expect(status.code == .unavailable)
                #expect(!status.message.contains("127.0.0.1"))
                // One wait, not one per attempt.
                #expect(waited >= .milliseconds(650) && waited < .seconds(6), "\(waited)")
            }
        }
        try await withClient(port, { $0.connectWait = .seconds(30) }) { client in
            let began = NIODeadline.now()
            #expect(await client.status(of: TestMethods.probe).code == .unavailable)
            #expect(NIODeadline.now() - began < .seconds(5))
        }
    }

    @Test("a name that does not resolve: UNAVAILABLE, and found once it does")
    func unresolved() async throws {
        try await withServer { server in
            let address = try server.socketAddress
            let known = NIOLockedValueBox(false)
            let lookUp: @Sendable () throws -> [SocketAddress] = {
                guard known.withLockedValue({ $0 }) else { throw SocketFailure("no such name") }
                return [address]
            }
            let adjust: (inout RPCClient.Configuration) -> Void = {
                // Only a waiting call makes the client resolve again in time.
                $0.resolveInterval = .seconds(600)
                $0.connectWait = .seconds(15)
            }
            try await withClient(addresses: lookUp, adjust) { client in
                #expect(await client.status(of: TestMethods.probe).code == .unavailable)
                let waiting = Task { await client.status(of: TestMethods.echo) }
                try await Task.sleep(for: .milliseconds(700))
                known.withLockedValue { $0 = true }
                #expect(await waiting.value == .ok)
            }
        }
    }

    @Test("a server that accepts and sends nothing: UNAVAILABLE after the wait for a connection")
    func silentServer() async throws {
        let server = try FakeServer { _, peer in _ = peer.waitForEnd() }
        let adjust: (inout RPCClient.Configuration) -> Void = {
            $0.connectTimeout = .milliseconds(200)
            $0.connectWait = .milliseconds(500)
        }
        try await withClient(server.port, adjust) { client in
            let began = NIODeadline.now()
            #expect(await client.status(of: TestMethods.echo).code == .unavailable)
            #expect(NIODeadline.now() - began < .seconds(8))
        }
        server.stop()
    }

    @Test("the deadline holds while connecting")
    func deadlineWhileConnecting() async throws {
        let server = try FakeServer { _, peer in _ = peer.waitForEnd() }
        try await withClient(server.port, { $0.connectTimeout = .seconds(30) }) { client in
            let status = await client.status(of: TestMethods.echo, within: .milliseconds(200))
            #expect(status.code == .deadlineExceeded)
            #expect(await client.status(of: TestMethods.echo, within: .zero).code == .deadlineExceeded)
        }
        server.stop()
    }

    @Test("a bounded number of calls waits; those that gave up make room for others")
    func waitingCalls() async throws {
        let isOpen = NIOLockedValueBox(false)
        let server = try FakeServer { _, peer in
            var reader = FrameReader()
            while !isOpen.withLockedValue({ $0 }) { _ = peer.frame(&reader, patience: 0.01) { _ in false } }
            var stream = try peer.acceptRequest(&reader)
            while true {
                peer.send(Frame.emptyAnswer(stream))
                stream = try peer.nextRequest(&reader)
            }
        }
        // One loop, so that the bound is not one for each.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var configuration = RPCClient.Configuration(target: HostPort(host: "127.0.0.1", port: server.port))
        configuration.waitingCallsMax = 10
        configuration.connectTimeout = .seconds(30)
        configuration.connectWait = .seconds(60)
        let client = RPCClient(configuration: configuration, group: group, logger: quiet)
        // The oldest waits on, so that those behind it that give up stay in the queue.
        let oldest = Task { await client.status(of: TestMethods.echo).code }
        for _ in 0..<10 {
            #expect(await client.status(of: TestMethods.echo, within: .milliseconds(5)).code == .deadlineExceeded)
        }
        let outcomes = await withTaskGroup(of: Status.Code.self) { tasks in
            for _ in 0..<30 { tasks.addTask { await client.status(of: TestMethods.echo, within: .seconds(20)).code } }
            var codes: [Status.Code] = []
            for await code in tasks {
                codes.append(code)
                if codes.count == 21 { isOpen.withLockedValue { $0 = true } }
            }
            return codes
        }
        // Not RESOURCE_EXHAUSTED: there is no load, only no connection.
        let (refused, good) = (outcomes.count { $0 == .unavailable }, outcomes.count { $0 == .ok })
        #expect(refused == 21)
        #expect(good == 9)
        #expect(await oldest.value == .ok)
        await client.shutdown()
        server.stop()
        try await group.shutdownGracefully()
    }

    @Test("a peer that vanished is noticed by PING, and its calls end")
    func halfOpen() async throws {
        let server = try FakeServer { _, peer in
            var reader = FrameReader()
            _ = try peer.acceptRequest(&reader)
            // Reads nothing and says nothing from now on, as if the cable were cut.
        }
        let keepalive: (inout RPCClient.Configuration) -> Void = {
            $0.keepaliveInterval = .milliseconds(200)
            $0.keepaliveTimeout = .milliseconds(200)
        }
        try await withClient(server.port, keepalive) { client in
            let began = NIODeadline.now()
            #expect(await client.status(of: TestMethods.echo).code == .unavailable)
            #expect(NIODeadline.now() - began < .seconds(10))
        }
        server.stop()
    }

    @Test("a quiet but healthy connection is kept")
    func healthy() async throws {
        try await withServer { server in
            let keepalive: (inout RPCClient.Configuration) -> Void = {
                $0.keepaliveInterval = .milliseconds(100)
                $0.keepaliveTimeout = .milliseconds(500)
            }
            try await withClient(server.port, keepalive) { client in
                let status = await client.status(of: TestMethods.wait, Vessel_Vessel(capacity: 2_000))
                #expect(status == .ok)
            }
        }
    }

    @Test("a call of a task that is cancelled already ends, and so do those cancelled at any moment")
    func cancelled() async throws {
        try await withServer { server in
            try await withClient(server.port) { client in
                _ = try await client.echo("first")
                let codes = NIOLockedValueBox([Status.Code]())
                for round in 0..<200 {
                    let task = Task {
                        if round % 4 == 0 { withUnsafeCurrentTask { $0?.cancel() } }
                        let code = await client.status(of: TestMethods.wait, Vessel_Vessel(capacity: 60_000)).code
                        codes.withLockedValue { $0.append(code) }
                    }
                    for _ in 0..<round { await Task.yield() }
                    task.cancel()
                    // Not `task.value`, which would never come for a call that is forgotten.
                    try await eventually("the end of call \(round)") { codes.withLockedValue { $0.count } == round + 1 }
                }
                let ends = codes.withLockedValue { Set($0) }
                #expect(ends == [.cancelled])
                #expect(try await client.echo("after").name == "after")
                try await eventually("the end of every handler") { server.log.began == server.log.cancelled + 2 }
            }
        }
    }

    @Test("a client that is shut down ends its calls and refuses new ones")
    func shutdown() async throws {
        try await withServer { server in
            try await withClient(server.port) { client in
                let pending = Task { await client.status(of: TestMethods.wait, Vessel_Vessel(capacity: 60_000)) }
                try await eventually("the call") { server.log.began == 1 }
                await client.shutdown()
                #expect(await pending.value.code == .unavailable)
                #expect(await client.status(of: TestMethods.echo).code == .unavailable)
                try await eventually("the connection's end") { server.server.connectionCount == 0 }
                await client.shutdown()
            }
        }
    }

    @Test("a server that allows no call yet is sent the waiting ones when it does")
    func laterSettings() async throws {
        let server = try FakeServer { _, peer in
            var reader = FrameReader()
            peer.send(Frame.settings([(id: 3, value: 0)]).bytes)
            // Its acknowledgement shows that the client knows.
            _ = peer.next(.settings, &reader, flags: Frame.acknowledgement)
            _ = peer.frame(&reader, patience: 0.2) { _ in false }
            peer.send(Frame.settings([(id: 3, value: 5)]).bytes)
            let stream = try peer.nextRequest(&reader)
            peer.send(Frame.emptyAnswer(stream))
            _ = peer.waitForEnd()
        }
        try await withClient(server.port) { client in
            #expect(await client.status(of: TestMethods.echo) == .ok)
        }
        server.stop()
    }

    @Test("an answer before the request is out ends the call, though the server takes no more of it")
    func earlyAnswer() async throws {
        let server = try FakeServer { _, peer in
            var reader = FrameReader()
            peer.send(Frame.settings().bytes)
            guard let headers = peer.next(.headers, &reader) else { return }
            let fields = [
                (":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "7"), ("grpc-message", "no"),
            ]
            peer.send(
                Frame(
                    .headers, Frame.endHeaders | Frame.endStream, stream: headers.stream, Frame.block(fields)
                ).bytes)
            _ = peer.waitForEnd()
        }
        try await withClient(server.port) { client in
            let large = Vessel_Vessel(name: letters(1_000_000))
            #expect(await client.status(of: TestMethods.echo, large).code == .permissionDenied)
        }
        server.stop()
    }

    @Test("a server that says goodbye to each connection at once is not connected to without pause")
    func goodbyes() async throws {
        let server = try FakeServer { _, peer in
            peer.send(Frame.settings().bytes + Frame.goAway(last: 0).bytes)
            _ = peer.waitForEnd(patience: 1)
        }
        try await withClient(server.port) { client in
            _ = await client.status(of: TestMethods.echo, within: .seconds(1))
            let early = server.accepted
            _ = await client.status(of: TestMethods.wait, within: .milliseconds(500))
            #expect(early < 20)
        }
        server.stop()
    }
}
