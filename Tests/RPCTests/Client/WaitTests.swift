import Contracts
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@testable import RPC

/// Calls to a service without a connection.
@Suite("Waiting for a connection", .turns)
struct WaitTests {
    private static func patient(_ configuration: inout RPCClient.Configuration) {
        configuration.connectWait = .seconds(15)
    }

    private func onEveryLoop(_ client: RPCClient, _ method: TestMethods.Echo = TestMethods.echo) async -> Status {
        do {
            _ = try await client.callOnEveryLoop(method, Vessel_Vessel(), deadline: .after(.seconds(20)))
            return .ok
        } catch {
            return Status(error)
        }
    }

    @Test("calls made before the server listens are answered when it does, on every loop", arguments: [1, 2, 8])
    func beforeTheServer(loops: Int) async throws {
        let port = try Ports.free()
        try await withLoops(loops, port, Self.patient) { client in
            let early = (0..<10).map { _ in Task { await onEveryLoop(client) } }
            try await Task.sleep(for: .milliseconds(700))
            let server = try await TestServer.start(port: port)
            let listening = NIODeadline.now()
            for call in early { #expect(await call.value == .ok) }
            #expect(NIODeadline.now() - listening < .seconds(5))
            #expect(server.log.began == 10 * loops)
            await server.stop()
        }
    }

    @Test("one loop's success ends the back-off of all others", arguments: [2, 8])
    func oneForAll(loops: Int) async throws {
        let port = try Ports.free()
        let slow: (inout RPCClient.Configuration) -> Void = {
            $0.backoff.first = .seconds(600)
            $0.backoff.longest = .seconds(600)
            // Otherwise the back-off is cut to a part of it.
            $0.connectWait = .seconds(3_000)
        }
        try await withLoops(loops, port, slow) { client in
            let early = client.loops.dropLast().map { loop in
                Task {
                    try await client.call(
                        TestMethods.echo, Vessel_Vessel(), metadata: [:], deadline: .after(.seconds(30)), on: loop)
                }
            }
            // Each loop has tried, and will not retry for minutes.
            for loop in client.loops.dropLast() {
                try await eventually("a refused attempt") {
                    try await loop.eventLoop.submit {
                        loop.subchannels.first.map { !$0.isIdle && !$0.isConnecting } ?? false
                    }.get()
                }
            }
            let server = try await TestServer.start(port: port)
            let last = try #require(client.loops.last)
            _ = try await client.call(
                TestMethods.echo, Vessel_Vessel(), metadata: [:], deadline: .after(.seconds(30)), on: last)
            for call in early { _ = try await call.value }
            #expect(server.log.began == loops)
            await server.stop()
        }
    }

    @Test("clients on any number of loops do not reconnect without pause to a server that ends each connection")
    func shortConnections() async throws {
        let server = try FakeServer { _, peer in
            peer.send(Frame.settings().bytes)
            var reader = FrameReader()
            _ = peer.next(.settings, &reader, flags: Frame.acknowledgement, patience: 1)
            peer.end()
        }
        try await withLoops(8, server.port, Self.patient) { client in
            let calls = client.loops.map { loop in
                Task {
                    try? await client.call(
                        TestMethods.echo, Vessel_Vessel(), metadata: [:], deadline: .after(.seconds(1)), on: loop)
                }
            }
            for call in calls { _ = await call.value }
            // Attempts of each loop: two at once, then after 32 ms, 51, 82, 131, 210 and so on.
            #expect(server.accepted <= 8 * 12, "\(server.accepted)")
        }
        server.stop()
    }

    @Test("a server that allows no calls counts as no connection: UNAVAILABLE after the wait")
    func noStreams() async throws {
        let server = try FakeServer { _, peer in
            peer.send(Frame.settings([(id: 3, value: 0)]).bytes)
            _ = peer.waitForEnd()
        }
        try await withLoops(1, server.port, { $0.connectWait = .milliseconds(300) }) { client in
            let began = NIODeadline.now()
            let status = await client.status(of: TestMethods.echo, within: .seconds(30))
            #expect(status.code == .unavailable)
            #expect(NIODeadline.now() - began < .seconds(8))
        }
        server.stop()
    }

    @Test("a call that waits for room on a connection may wait until its deadline")
    func room() async throws {
        let server = try FakeServer { _, peer in
            var reader = FrameReader()
            let first = try peer.acceptRequest(&reader, settings: .settings([(id: 3, value: 1)]))
            // Longer than the wait for a connection.
            _ = peer.frame(&reader, patience: 0.6) { _ in false }
            peer.send(Frame.emptyAnswer(first))
            let second = try peer.nextRequest(&reader)
            peer.send(Frame.emptyAnswer(second))
            _ = peer.waitForEnd()
        }
        try await withLoops(1, server.port, { $0.connectWait = .milliseconds(200) }) { client in
            let calls = (0..<2).map { _ in Task { await client.status(of: TestMethods.echo) } }
            for call in calls { #expect(await call.value == .ok) }
        }
        server.stop()
    }

    @Test("calls that wait for room wait for a connection when theirs is lost, and not longer than others")
    func lostWhileFull() async throws {
        let server = try FakeServer { number, peer in
            var reader = FrameReader()
            guard number == 0 else {
                _ = peer.waitForEnd()
                return
            }
            _ = try peer.acceptRequest(&reader, settings: .settings([(id: 3, value: 1)]))
            peer.end()
        }
        let adjust: (inout RPCClient.Configuration) -> Void = {
            $0.connectWait = .milliseconds(300)
            $0.connectTimeout = .seconds(60)
        }
        try await withLoops(1, server.port, adjust) { client in
            let began = NIODeadline.now()
            let calls = (0..<5).map { _ in Task { await client.status(of: TestMethods.echo, within: .seconds(50)) } }
            for call in calls { #expect(await call.value.code == .unavailable) }
            #expect(NIODeadline.now() - began < .seconds(20))
        }
        server.stop()
    }

    @Test("isConnected tells whether calls wait for a connection")
    func isConnected() async throws {
        let port = try Ports.free()
        try await withLoops(1, port, Self.patient) { client in
            let loop = try #require(client.loops.first).eventLoop
            #expect(!client.isConnected(on: loop))
            let early = Task { await client.status(of: TestMethods.echo) }
            let server = try await TestServer.start(port: port)
            #expect(await early.value == .ok)
            #expect(client.isConnected(on: loop))
            await server.stop()
            try await eventually("the loss") { !client.isConnected(on: loop) }
        }
    }

    @Test("with a wait of 0 a call fails as soon as an attempt has failed")
    func noWait() async throws {
        let port = try Ports.free()
        try await withLoops(1, port, { $0.connectWait = .zero }) { client in
            let began = NIODeadline.now()
            #expect(await client.status(of: TestMethods.echo).code == .unavailable)
            #expect(NIODeadline.now() - began < .seconds(5))
        }
    }
}
