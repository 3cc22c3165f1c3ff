import Contracts
import NIOCore
import TestSupport
import Testing

@testable import RPC

@Suite("Memory of an RPC server over all its connections", .turns)
struct ServerMemoryTests {
    private static let mebibyte = 1024 * 1024

    @Test("unfinished messages of all connections share a limit; beyond it a call gets RESOURCE_EXHAUSTED at once")
    func unfinished() async throws {
        let memory = MemoryBudget(limitBytes: 64 * Self.mebibyte)
        try await withServer({ $0.memory = memory }) { server in
            let (peers, refused) = try await onThread {
                var refused = 0
                var peers: [RawPeer] = []
                for _ in 0..<12 {
                    let peer = try RawPeer(port: server.port)
                    var reader = FrameReader()
                    peer.send(Frame.hello)
                    // 2 MiB are announced; as much is sent as the initial windows of streams and connection allow.
                    for stream in [1, 3, 5, 7, 9, 11, 13, 15] as [UInt32] {
                        peer.send(Frame.request(stream, "/test.Test/Echo").bytes)
                        let piece = [0] + Frame.big(UInt32(2 * Self.mebibyte)) + [UInt8](repeating: 0, count: 16_000)
                        peer.send(Frame(.data, stream: stream, piece).bytes)
                        for _ in 0..<3 {
                            peer.send(Frame(.data, stream: stream, [UInt8](repeating: 0, count: 16_000)).bytes)
                        }
                    }
                    // When the server answers a ping it has read everything before it.
                    peer.send(Frame(.ping, 0, [0, 0, 0, 0, 0, 0, 0, 1]).bytes)
                    while let frame = peer.frame(&reader, where: { _ in true }) {
                        if frame.kind == Frame.Kind.headers.rawValue { refused += 1 }
                        if frame.kind == Frame.Kind.ping.rawValue { break }
                    }
                    peers.append(peer)
                }
                return (peers, refused)
            }
            // 12 x 8 x 64 KB would be 6 MB; a server of 64 MiB holds at most 6 MiB of requests, of which large ones
            // take at most 4.5 MiB.
            #expect(memory.usedBytes(.requests) <= memory.bytesMax(.requests))
            #expect(memory.usedBytes(.requests) > 3 * Self.mebibyte)
            #expect(refused > 0)
            try await server.servesAGoodClient()
            for peer in peers { peer.end() }
            try await eventually("the memory to come back: \(memory.usedBytes(.requests))") {
                memory.usedBytes(.requests) == 0
            }
        }
    }

    @Test("unread answers share a limit, and are released with their streams")
    func answers() async throws {
        let memory = MemoryBudget(limitBytes: 64 * Self.mebibyte)
        try await withServer({ $0.memory = memory }) { server in
            let peers = try await onThread {
                var peers: [RawPeer] = []
                var refused = 0
                for _ in 0..<4 {
                    let peer = try RawPeer(port: server.port)
                    var reader = FrameReader()
                    peer.send(
                        Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Frame.settings([(id: 4, value: 0)]).bytes)
                    // capacity = 4,000,000 bytes each.
                    for stream in [1, 3] as [UInt32] {
                        peer.send(
                            Frame.request(stream, "/test.Test/Large").bytes
                                + Frame.message(stream, [0x10, 0x80, 0x92, 0xf4, 0x01]).bytes)
                        let answer = peer.next(.headers, &reader, on: stream)
                        if let answer, answer.flags & Frame.endStream != 0 { refused += 1 }
                    }
                    peers.append(peer)
                }
                // 12 MiB for answers, of which large ones take at most 9 MiB.
                #expect(refused == 6)
                return peers
            }
            #expect(memory.usedBytes(.responses) <= memory.bytesMax(.responses))
            try await server.servesAGoodClient()
            for peer in peers { peer.end() }
            try await eventually("the memory to come back") { memory.usedBytes(.responses) == 0 }
        }
    }

    @Test("decoded messages of many elements share a limit, however short they are, until their calls end")
    func elements() async throws {
        let memory = MemoryBudget(limitBytes: 64 * Self.mebibyte)
        try await withServer({ $0.memory = memory }) { server in
            // A minute, and 2,000 texts without letters.
            var message: [UInt8] = [0x10, 0xe0, 0xd4, 0x03]
            for _ in 0..<2_000 { message += [0x0a, 0] }
            let request = message
            let (peer, refused) = try await onThread {
                let peer = try RawPeer(port: server.port)
                var reader = FrameReader()
                peer.send(Frame.hello)
                for number in 0..<20 {
                    let stream = UInt32(2 * number + 1)
                    peer.send(Frame.request(stream, "/test.Test/Wait").bytes + Frame.message(stream, request).bytes)
                }
                // When the server answers a ping it has read everything before it.
                peer.send(Frame(.ping, 0, [0, 0, 0, 0, 0, 0, 0, 1]).bytes)
                var refused = 0
                while let frame = peer.frame(&reader, where: { _ in true }) {
                    if frame.kind == Frame.Kind.headers.rawValue { refused += 1 }
                    if frame.kind == Frame.Kind.ping.rawValue { break }
                }
                return (peer, refused)
            }
            // 6 MiB for elements, of which large messages take at most 4.5 MiB.
            let each = 2_000 * DecodedMemory.elementBytes + request.count
            let held = memory.bytesMax(.elements) / 4 * 3 / each
            #expect(server.log.began == held)
            #expect(memory.usedBytes(.elements) == held * each)
            #expect(memory.rejections(.elements) == 20 - held)
            #expect(refused <= 20 - held)
            try await server.servesAGoodClient()
            peer.end()
            try await eventually("the memory to come back") { memory.usedBytes(.elements) == 0 }
        }
    }

    @Test("connections count: one without memory is closed at once")
    func connections() async throws {
        let memory = MemoryBudget(limitBytes: 64 * Self.mebibyte)
        try await withServer({
            $0.memory = memory
            $0.idleGrace = .seconds(60)
        }) { server in
            let rest = memory.bytesMax(.connections) - 2 * RPCServer.connectionBytes
            #expect(memory.take(rest, .connections))
            let peers = try await onThread {
                let peers = try (0..<2).map { _ in try RawPeer(port: server.port) }
                for peer in peers { peer.send(Frame.hello) }
                return peers
            }
            try await eventually("two connections") { server.server.connectionCount == 2 }
            try await onThread {
                let third = try RawPeer(port: server.port)
                #expect(third.waitForEnd())
            }
            #expect(memory.rejections(.connections) == 1)
            for peer in peers { peer.end() }
            memory.release(rest, .connections)
            try await eventually("the memory to come back") { memory.usedBytes(.connections) == 0 }
            try await server.servesAGoodClient()
        }
    }

    @Test("a peer that opens its window by a byte now and then loses its stream, but not its connection")
    func trickle() async throws {
        try await withServer({
            $0.keepaliveInterval = .milliseconds(400)
            $0.keepaliveTimeout = .milliseconds(100)
        }) { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(
                    Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Frame.settings([(id: 4, value: 0)]).bytes
                        + Frame.request(1, "/test.Test/Large").bytes
                        + Frame.message(1, [0x10, 0x80, 0x92, 0xf4, 0x01]).bytes)
                var reader = FrameReader()
                var end: Frame?
                let deadline = NIODeadline.now() + .seconds(20)
                while end == nil, NIODeadline.now() < deadline {
                    peer.send(Frame.windowUpdate(1, 1).bytes)
                    let frame = peer.frame(&reader, patience: 0.05) {
                        $0.kind == Frame.Kind.reset.rawValue || $0.kind == Frame.Kind.ping.rawValue
                    }
                    if frame?.kind == Frame.Kind.reset.rawValue { end = frame }
                    if let frame, frame.kind == Frame.Kind.ping.rawValue, frame.flags == 0 {
                        peer.send(Frame(.ping, Frame.acknowledgement, frame.payload).bytes)
                    }
                }
                #expect(end?.stream == 1)
            }
            try await server.servesAGoodClient()
        }
    }
}
