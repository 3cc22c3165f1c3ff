import Contracts
import NIOCore
import TestSupport
import Testing

@testable import RPC

@Suite("A server's bounds", .turns)
struct LimitTests {
    @Test("the 257th stream of a connection is refused, and may be retried")
    func streams() async throws {
        try await withServer { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(Frame.hello)
                var reader = FrameReader()
                for number in 0..<257 { peer.send(Frame.request(UInt32(2 * number + 1), "/test.Test/Wait").bytes) }
                let refused = peer.next(.reset, &reader)
                #expect(refused == Frame.reset(513, code: 7))
                // One ends, the next is taken.
                peer.send(Frame.reset(1, code: 8).bytes)
                peer.send(Frame.request(515, "/test.Test/Echo").bytes + Frame.message(515, []).bytes)
                #expect(peer.next(.data, &reader, on: 515) != nil)
            }
        }
    }

    @Test("a peer that opens one more though it has acknowledged the bound loses its connection")
    func streamsAcknowledged() async throws {
        try await withServer { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(Frame.hello + Frame(.settings, Frame.acknowledgement).bytes)
                for number in 0..<257 { peer.send(Frame.request(UInt32(2 * number + 1), "/test.Test/Wait").bytes) }
                var reader = FrameReader()
                #expect(peer.next(.goAway, &reader) != nil)
                #expect(peer.waitForEnd())
            }
            try await server.servesAGoodClient()
        }
    }

    @Test("connections above the bound are closed at once while none is idle; when one ends, another is taken")
    func connections() async throws {
        try await withServer({
            $0.connectionsMax = 3
            $0.idleGrace = .seconds(60)
        }) { server in
            let peers = try await onThread {
                try (0..<3).map { _ in
                    let peer = try RawPeer(port: server.port)
                    peer.send(Frame.hello)
                    return peer
                }
            }
            try await eventually("three connections") { server.server.connectionCount == 3 }
            try await onThread {
                let fourth = try RawPeer(port: server.port)
                #expect(fourth.waitForEnd())
                peers[0].end()
            }
            try await eventually("one connection less") { server.server.connectionCount < 3 }
            try await server.servesAGoodClient()
            withExtendedLifetime(peers) {}
        }
    }

    @Test("requests that wait for their end hold a bounded number of bytes")
    func requestBytes() async throws {
        try await withServer({ $0.bufferedRequestBytesMax = 100_000 }) { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(Frame.hello)
                let half = Frame(.data, stream: 0, [0] + Frame.big(50_000) + [UInt8](repeating: 0, count: 10_000))
                for number in 0..<12 {
                    var frame = half
                    frame.stream = UInt32(2 * number + 1)
                    peer.send(Frame.request(frame.stream, "/test.Test/Echo").bytes + frame.bytes)
                }
                var reader = FrameReader()
                let refused = peer.next(.headers, &reader, flags: Frame.endStream)
                #expect(refused?.stream == 21)
                // The rest of a refused request is not wanted.
                let reset = peer.next(.reset, &reader, on: 21)
                #expect(reset?.payload == Frame.big(0))
            }
            try await server.servesAGoodClient()
        }
    }

    @Test("an error that knows no status is INTERNAL, and its text stays here")
    func secrets() async throws {
        try await withServer { server in
            try await withClient(server.port) { client in
                #expect(await client.status(of: TestMethods.crash) == Status(.internal, "internal error"))
            }
        }
    }

    @Test("a status message of any length arrives, cut to what peers take")
    func longMessage() async throws {
        try await withServer { server in
            try await withClient(server.port) { client in
                for text in [letters(200_000), String(repeating: "船", count: 20_000)] {
                    let status = await client.status(of: TestMethods.fail, Vessel_Vessel(name: text, capacity: 9))
                    #expect(status.code == .failedPrecondition)
                    #expect(text.hasPrefix(status.message))
                    #expect(status.message.utf8.count > 1_000)
                }
            }
        }
    }

    @Test("a handler that is still busy at the deadline is answered for, and counted once")
    func serverDeadline() async throws {
        try await withServer { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(Frame.hello)
                peer.send(
                    Frame.request(1, "/test.Test/Wait", [("grpc-timeout", "100m")]).bytes
                        + Frame.message(1, [0x10, 0xe0, 0xd4, 0x03]).bytes)
                var reader = FrameReader()
                let answer = peer.next(.headers, &reader, flags: Frame.endStream)
                #expect(answer != nil)
            }
            try await eventually("the handler's end") { server.log.cancelled == 1 }
        }
    }

    @Test("a deadline holds for a request that does not end, too")
    func deadlineBeforeTheEnd() async throws {
        try await withServer { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(Frame.hello + Frame.request(1, "/test.Test/Wait", [("grpc-timeout", "100m")]).bytes)
                var reader = FrameReader()
                #expect(peer.next(.headers, &reader) != nil)
                #expect(peer.next(.reset, &reader) != nil)
            }
            #expect(server.log.began == 0)
        }
    }

    @Test("an answer that filled a write is followed by the reset of its unfinished request")
    func earlyAnswerReset() async throws {
        try await withServer { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(Frame.hello + Frame.request(1, "/test.Test/Nothing").bytes)
                peer.send(Frame(.data, stream: 1, [0]).bytes)
                var reader = FrameReader()
                let answer = peer.next(.headers, &reader, on: 1)
                #expect(answer?.kind == Frame.Kind.headers.rawValue)
                let reset = peer.next(.reset, &reader, on: 1)
                #expect(reset == Frame.reset(1, code: 0))
            }
        }
    }
}

@Suite("Limit on running calls", .turns)
struct RunningCallsTests {
    @Test("a call above the limit gets RESOURCE_EXHAUSTED, health is answered, and a call that ends makes room")
    func running() async throws {
        var health = RPCRoute(TestMethods.Echo(service: "test.Health", name: "Check")) { request, _ in request }
        health.isAlwaysAnswered = true
        var configuration = RPCServer.Configuration(address: HostPort(host: "127.0.0.1", port: 0))
        configuration.callsMax = 2
        let log = HandlerLog()
        let server = RPCServer(
            routes: log.routes + [health], configuration: configuration, group: .singleton, logger: quiet)
        let port = try await server.start().port ?? 0
        try await withClient(port) { client in
            let waiting = (0..<2).map { _ in
                Task { await client.status(of: TestMethods.wait, .with { $0.capacity = 60_000 }) }
            }
            try await eventually("a call that is shed") {
                let status = await client.status(of: TestMethods.echo)
                guard status.code == .resourceExhausted else { return false }
                #expect(status.metadata["retry-after"] == "1")
                return true
            }
            let shed = server.shedCalls
            #expect(shed >= 1)
            let healthy = await client.status(of: TestMethods.Echo(service: "test.Health", name: "Check"))
            #expect(healthy == .ok)
            waiting[0].cancel()
            try await eventually("room for another") { await client.status(of: TestMethods.echo) == .ok }
            waiting[1].cancel()
            for task in waiting { _ = await task.value }
        }
        await server.drain(timeout: .zero)
    }

    @Test("connections that fill a server leave room for the calls of others")
    func shares() {
        let running = RunningCalls(max: 4_096)
        func begin(_ own: inout Int) -> Bool {
            guard running.begin(running: own, connections: { 65 }) else { return false }
            own += 1
            return true
        }
        var hostile = Array(repeating: 0, count: 64)
        for _ in 0..<256 {
            for index in hostile.indices { _ = begin(&hostile[index]) }
        }
        #expect(hostile.reduce(0, +) >= 2_048)
        var other = 0
        for _ in 0..<16 { #expect(begin(&other)) }
    }

    @Test("a single connection may use a whole server")
    func alone() {
        let running = RunningCalls(max: 100)
        for own in 0..<100 { #expect(running.begin(running: own, connections: { 1 })) }
        #expect(!running.begin(running: 100, connections: { 1 }))
        #expect(running.shedCount == 1)
    }
}
