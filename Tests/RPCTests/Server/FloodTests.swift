import Foundation
import NIOCore
import TestSupport
import Testing

@testable import RPC

/// Peers that send too much of what is legal, or take nothing.
@Suite("Floods and slow peers", .turns)
struct FloodTests {
    /// The next RST_STREAM; PINGs before it are answered.
    private func resetWhilePinging(_ peer: RawPeer, _ reader: inout FrameReader) -> Frame? {
        peer.frame(&reader) { frame in
            if frame.kind == Frame.Kind.ping.rawValue, frame.flags == 0 {
                peer.send(Frame(.ping, Frame.acknowledgement, stream: 0, frame.payload).bytes)
            }
            return frame.kind == Frame.Kind.reset.rawValue
        }
    }

    /// A call that waits, and its caller leaving at once.
    private func leavingCall(_ number: Int) -> [UInt8] {
        let stream = UInt32(2 * number + 1)
        return Frame.request(stream, "/test.Test/Wait").bytes + Frame.message(stream, [0x10, 100]).bytes
            + Frame.reset(stream, code: 8).bytes
    }

    @Test("streams that are opened and reset at once end the connection before they cost much")
    func rapidReset() async throws {
        try await withServer { server in
            let begin = ContinuousClock.now
            let sent = try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(Frame.hello)
                var sent = 0
                for batch in 0..<400 {
                    guard peer.send((0..<100).flatMap { leavingCall(batch * 100 + $0) }) else { break }
                    sent += 100
                }
                #expect(peer.waitForEnd())
                return sent
            }
            // The burst that is allowed is 5,000, and 2,000 for each second that was begun; none of the rest reached a handler.
            let seconds = Int((.now - begin) / .seconds(1)) + 1
            #expect(server.log.began <= 5_300 + 2_000 * seconds, "of \(sent) in \(seconds) s")
            try await eventually("the handlers' end") {
                server.log.cancelled + server.log.counts.finished == server.log.began
            }
            try await server.servesAGoodClient()
        }
    }

    @Test("thousands of callers that leave do not end the connection that others share with them")
    func leavingCallers() async throws {
        try await withServer { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(Frame.hello)
                for number in 0..<3_000 { peer.send(leavingCall(number)) }
                var reader = FrameReader()
                var answer: Frame?
                // As long as handlers are ending there may be too many: then it is refused, and comes again.
                for stream in stride(from: UInt32(6_001), to: 10_001, by: 2) {
                    peer.send(Frame.request(stream, "/test.Test/Echo").bytes + Frame.message(stream, []).bytes)
                    answer = peer.frame(&reader) { frame in
                        let isEnd = frame.kind == Frame.Kind.data.rawValue || frame.kind == Frame.Kind.reset.rawValue
                        return frame.stream == stream && isEnd
                    }
                    if answer?.kind != Frame.Kind.reset.rawValue { break }
                }
                #expect(answer?.kind == Frame.Kind.data.rawValue)
            }
            try await server.servesAGoodClient()
        }
    }

    @Test("resets can't pile up handlers that do not stop when they are cancelled")
    func stubborn() async throws {
        try await withServer({ $0.streamsMax = 10 }) { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(Frame.hello)
                for number in 0..<100 {
                    let stream = UInt32(2 * number + 1)
                    // capacity = 2,000 ms
                    peer.send(
                        Frame.request(stream, "/test.Test/Stubborn").bytes
                            + Frame.message(stream, [0x10, 0xd0, 0x0f]).bytes
                            + Frame.reset(stream, code: 8).bytes)
                }
                peer.send(Frame.request(201, "/test.Test/Echo").bytes + Frame.message(201, []).bytes)
                var reader = FrameReader()
                // Refused, as ten handlers run.
                let refused = peer.next(.reset, &reader, on: 201)
                #expect(refused?.payload == Frame.big(7))
            }
            #expect(server.log.began == 10)
            try await server.servesAGoodClient()
        }
    }

    @Test(
        "a flood of frames that ask for answers is bounded, whether the peer reads them or not",
        arguments: [
            Frame(.ping, 0, stream: 0, [0, 0, 0, 0, 0, 0, 0, 0]), Frame.settings(), Frame.settings([(id: 4, value: 1)]),
        ])
    func acknowledgements(frame: Frame) async throws {
        try await withServer { server in
            let before = Memory.residentBytes
            try await onThread {
                let peer = try RawPeer(port: server.port, receiveBytes: 4_096)
                peer.send(Frame.hello)
                let bytes = [[UInt8]](repeating: frame.bytes, count: 1_000).flatMap { $0 }
                // 30 MB unless it is stopped: by the end of the connection, or by nobody reading.
                for _ in 0..<2_000 where !peer.send(bytes, patience: 0.5) { break }
            }
            #expect(Memory.grown(since: before, lessThanMiB: 64))
            try await server.servesAGoodClient()
        }
    }

    @Test("a flood of empty DATA frames does no harm")
    func emptyData() async throws {
        try await withServer { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(Frame.hello + Frame.request(1, "/test.Test/Echo").bytes)
                let bytes = [[UInt8]](repeating: Frame(.data, stream: 1).bytes, count: 1_000).flatMap { $0 }
                for _ in 0..<200 where !peer.send(bytes) { break }
                peer.send(Frame.message(1, []).bytes)
                var reader = FrameReader()
                // An answer or the end, nothing worse.
                _ = peer.next(.data, &reader)
            }
            try await server.servesAGoodClient()
        }
    }

    @Test("a header list that unpacks to megabytes is not decoded to its end, and ends the connection")
    func headerBomb() async throws {
        try await withServer { server in
            try await onThread {
                let peer = try HTTP2Peer(port: server.port)
                for number in 0..<35 {
                    let frames = Frame.headerBomb(UInt32(2 * number + 1), Frame.requestFields("/test.Test/Echo"))
                    for frame in frames where !peer.send(frame) { break }
                }
                #expect(peer.wait { !$0.goAways.isEmpty })
                // ENHANCE_YOUR_CALM
                #expect(peer.goAways.last?.code == 0xb)
                #expect(peer.waitForEnd())
            }
            try await server.servesAGoodClient()
        }
    }

    @Test("trailers of a request are not metadata")
    func trailers() async throws {
        try await withServer { server in
            try await onThread {
                let peer = try HTTP2Peer(port: server.port)
                peer.send(
                    Frame.request(1, "/test.Test/Echo", [("content-length", "5")]),
                    Frame.message(1, [], endStream: false),
                    Frame(
                        .headers, Frame.endHeaders | Frame.endStream, stream: 1,
                        Frame.block([("authorization", "Bearer x"), ("token", "x"), ("grpc-timeout", "1n")])))
                // As metadata, a deadline of a nanosecond would have passed.
                #expect(peer.answer(1)?["grpc-status"] == "0")
            }
        }
    }

    @Test("a reader that takes nothing holds a bounded number of bytes")
    func slowReader() async throws {
        try await withServer({ $0.bufferedResponseBytesMax = 8 * 1024 * 1024 }) { server in
            let before = Memory.residentBytes
            let refused = try await onThread {
                let peer = try RawPeer(port: server.port, receiveBytes: 4_096)
                // A window of its own for each stream that lets every answer out, were it read.
                peer.send(
                    Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
                        + Frame.settings([(id: 4, value: 0x7fff_ffff)]).bytes)
                // capacity = 4,000,000 bytes each.
                for number in 0..<200 {
                    let stream = UInt32(2 * number + 1)
                    peer.send(
                        Frame.request(stream, "/test.Test/Large").bytes
                            + Frame.message(stream, [0x10, 0x80, 0x92, 0xf4, 0x01]).bytes)
                }
                var reader = FrameReader()
                var refused = 0
                // Headers that end their stream carry a status.
                while refused < 190, peer.next(.headers, &reader, flags: Frame.endStream) != nil { refused += 1 }
                return refused
            }
            #expect(refused == 190)
            #expect(Memory.grown(since: before, lessThanMiB: 150))
            try await server.servesAGoodClient()
        }
    }

    @Test("a peer that keeps its window shut loses its stream, though it answers pings")
    func shutWindow() async throws {
        try await withServer({
            $0.keepaliveInterval = .milliseconds(200)
            $0.keepaliveTimeout = .milliseconds(100)
        }) { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(
                    Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Frame.settings([(id: 4, value: 0)]).bytes
                        + Frame.request(1, "/test.Test/Echo").bytes + Frame.message(1, []).bytes)
                var reader = FrameReader()
                let end = resetWhilePinging(peer, &reader)
                #expect(end?.stream == 1)
            }
            try await server.servesAGoodClient()
        }
    }

    @Test("a request that never ends is given up, and its connection goes on")
    func unfinished() async throws {
        try await withServer({
            $0.requestTimeout = .milliseconds(300)
            $0.keepaliveTimeout = .milliseconds(100)
        }) { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(Frame.hello + Frame.request(1, "/test.Test/Echo").bytes)
                peer.send(Frame(.data, stream: 1, [0, 0, 0]).bytes)
                var reader = FrameReader()
                let end = resetWhilePinging(peer, &reader)
                #expect(end?.stream == 1)
                peer.send(Frame.request(3, "/test.Test/Echo").bytes + Frame.message(3, []).bytes)
                #expect(peer.next(.data, &reader, on: 3) != nil)
            }
        }
    }

    @Test("a peer that says nothing, or only half of its greeting, is disconnected")
    func handshake() async throws {
        try await withServer({ $0.keepaliveTimeout = .milliseconds(200) }) { server in
            for greeting in [[], Array(Frame.hello.prefix(20)), Array(Frame.hello.prefix(28))] {
                try await onThread {
                    let peer = try RawPeer(port: server.port)
                    peer.send(greeting)
                    #expect(peer.waitForEnd(patience: 5))
                }
            }
        }
    }

    @Test("a peer that vanished is noticed by PING")
    func vanished() async throws {
        try await withServer({
            $0.keepaliveInterval = .milliseconds(200)
            $0.keepaliveTimeout = .milliseconds(200)
        }) { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(Frame.hello)
                // Reads what comes and answers nothing, not even pings.
                #expect(peer.waitForEnd(patience: 5))
            }
        }
    }

    @Test("a peer that sends a byte at a time is served")
    func trickle() async throws {
        try await withServer { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                let bytes =
                    Frame.hello + Frame.request(1, "/test.Test/Echo").bytes + Frame.message(1, [0x22, 1, 65]).bytes
                for byte in bytes { peer.send([byte]) }
                var reader = FrameReader()
                let answer = peer.next(.data, &reader)
                #expect(answer?.payload == [0, 0, 0, 0, 3, 0x22, 1, 65])
            }
        }
    }
}
