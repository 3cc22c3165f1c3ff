import Foundation
import NIOCore
import TestSupport
import Testing

@testable import RPC

/// Peers that mean harm or are broken. After each, the server serves a good client.
@Suite("Hostile peers and our server", .turns)
struct HostilePeerTests {
    /// Lets a peer do its worst on a thread, then checks that the server is well.
    private func attack(
        _ adjust: (inout RPCServer.Configuration) -> Void = { _ in },
        _ body: @escaping @Sendable (RawPeer, Int) throws -> Void
    ) async throws {
        try await withServer(adjust) { server in
            try await onThread { try body(RawPeer(port: server.port), server.port) }
            try await server.servesAGoodClient()
            try await eventually("the end of every connection", within: .seconds(10)) {
                server.server.connectionCount == 0
            }
        }
    }

    @Test(
        "bytes that are no HTTP/2 end the connection",
        arguments: [
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSX",
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}",
            String(repeating: "\u{0}", count: 100), "PRI * HTTP/1.1\r\n\r\n",
        ])
    func notHTTP2(text: String) async throws {
        try await attack { peer, _ in
            peer.send(Array(text.utf8))
            #expect(peer.waitForEnd())
        }
    }

    @Test("random bytes, before and after the preface, do no harm")
    func random() async throws {
        try await withServer { server in
            for seed in 0..<60 {
                try await onThread {
                    let peer = try RawPeer(port: server.port)
                    var generator = SystemRandomNumberGenerator()
                    let noise = (0..<2_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
                    peer.send((seed % 2 == 0 ? Frame.hello : []) + noise)
                    peer.finish()
                    #expect(peer.waitForEnd(), "seed \(seed): \(noise)")
                }
            }
            try await server.servesAGoodClient()
        }
    }

    /// A frame that breaks a rule, and whether the rule is the whole connection's.
    struct Malformed: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var bytes: [UInt8]
        var endsConnection = true

        init(_ what: String, _ bytes: [UInt8], endsConnection: Bool = true) {
            testDescription = what
            self.bytes = bytes
            self.endsConnection = endsConnection
        }
    }

    private static let open = Frame.request(1, "/test.Test/Echo").bytes

    static let malformedFrames: [Malformed] = [
        Malformed("DATA on stream 0", Frame(.data).bytes),
        Malformed("DATA on an idle stream", Frame(.data, stream: 1).bytes),
        Malformed("DATA padded beyond its end", open + Frame(.data, Frame.padded, stream: 1, [200, 1]).bytes),
        Malformed("DATA larger than a frame may be", open + Frame(.data, stream: 1).bytes(length: 0xff_ffff)),
        Malformed("HEADERS on stream 0", Frame(.headers, Frame.endHeaders).bytes),
        Malformed("HEADERS on an even stream", Frame.request(2, "/test.Test/Echo").bytes),
        Malformed("HEADERS padded beyond their end", Frame(.headers, 12, stream: 1, [200, 0]).bytes),
        Malformed("HEADERS that are no HPACK", Frame(.headers, Frame.endHeaders, stream: 1, [0xff, 0xff, 0xff]).bytes),
        Malformed(
            "HEADERS with an index beyond the table", Frame(.headers, Frame.endHeaders, stream: 1, [0xff, 0x7f]).bytes),
        Malformed(
            "HEADERS with a table size beyond what we allow",
            Frame(.headers, Frame.endHeaders, stream: 1, [0x3f, 0xff, 0xff, 0xff, 0x0f]).bytes),
        Malformed(
            "HEADERS without :path",
            Frame(.headers, 5, stream: 1, Frame.block([(":method", "POST"), (":scheme", "http")])).bytes,
            endsConnection: false),
        Malformed(
            "HEADERS with upper case", Frame.request(1, "/x", [("Upper", "x")], endStream: true).bytes,
            endsConnection: false),
        Malformed(
            "HEADERS with connection", Frame.request(1, "/x", [("connection", "close")], endStream: true).bytes,
            endsConnection: false),
        Malformed(
            "HEADERS with a line break", Frame.request(1, "/x", [("a", "b\r\nc: d")], endStream: true).bytes,
            endsConnection: false),
        Malformed(
            "a stream that depends on itself", Frame(.priority, stream: 1, [0, 0, 0, 1, 0]).bytes),
        Malformed("PRIORITY of another size", Frame(.priority, stream: 1, [0]).bytes),
        Malformed("RST_STREAM of another size", open + Frame(.reset, stream: 1, [0]).bytes),
        Malformed("RST_STREAM of an idle stream", Frame.reset(9, code: 8).bytes),
        Malformed("RST_STREAM on stream 0", Frame.reset(0, code: 8).bytes),
        Malformed("SETTINGS of another size", Frame(.settings, 0, stream: 0, [1, 2, 3]).bytes),
        Malformed("SETTINGS on a stream", Frame(.settings, stream: 1).bytes),
        Malformed("SETTINGS acknowledged with a payload", Frame(.settings, 1, stream: 0, [0, 1, 0, 0, 0, 0]).bytes),
        Malformed("SETTINGS with a window beyond 2^31", Frame.settings([(id: 4, value: 0xffff_ffff)]).bytes),
        Malformed("SETTINGS with a tiny frame size", Frame.settings([(id: 5, value: 1)]).bytes),
        Malformed("SETTINGS with a push of 2", Frame.settings([(id: 2, value: 2)]).bytes),
        Malformed("PUSH_PROMISE of a client", open + Frame(.pushPromise, 4, stream: 1, [0, 0, 0, 2]).bytes),
        Malformed("PING of another size", Frame(.ping, 0, stream: 0, [1]).bytes),
        Malformed("PING on a stream", Frame(.ping, stream: 1, [0, 0, 0, 0, 0, 0, 0, 0]).bytes),
        Malformed("GOAWAY of another size", Frame(.goAway, 0, stream: 0, [1]).bytes),
        Malformed("WINDOW_UPDATE of nothing", Frame.windowUpdate(0, 0).bytes),
        Malformed("WINDOW_UPDATE beyond 2^31", Frame.windowUpdate(0, 0x7fff_ffff).bytes),
        Malformed(
            "WINDOW_UPDATE of a stream beyond 2^31", open + Frame.windowUpdate(1, 0x7fff_ffff).bytes,
            endsConnection: false),
        Malformed("WINDOW_UPDATE of another size", Frame(.windowUpdate, 0, stream: 0, [1]).bytes),
        Malformed("CONTINUATION without HEADERS", Frame(.continuation, 4, stream: 1).bytes),
        Malformed(
            "HEADERS broken off by another frame",
            Frame(.headers, 0, stream: 1, []).bytes + Frame(.ping, 0, stream: 0, [0, 0, 0, 0, 0, 0, 0, 0]).bytes),
        Malformed(
            "a frame of an unknown type is passed over",
            Frame(kind: 99, flags: 255, stream: 7, payload: [1, 2, 3]).bytes, endsConnection: false),
    ]

    @Test("frames that break a rule end the stream or the connection, as the rule says", arguments: malformedFrames)
    func malformed(_ frame: Malformed) async throws {
        try await attack { peer, _ in
            peer.send(Frame.hello + frame.bytes)
            var reader = FrameReader()
            if frame.endsConnection {
                #expect(peer.next(.goAway, &reader) != nil, "no GOAWAY")
                #expect(peer.waitForEnd())
            } else {
                // The connection still answers.
                peer.send(Frame(.ping, 0, stream: 0, [1, 2, 3, 4, 5, 6, 7, 8]).bytes)
                let answer = peer.next(.ping, &reader)
                #expect(answer?.payload == [1, 2, 3, 4, 5, 6, 7, 8])
            }
        }
    }

    @Test("a header list above 16 KiB is RESOURCE_EXHAUSTED, and the connection goes on")
    func largeHeaders() async throws {
        try await attack { peer, _ in
            peer.send(Frame.hello)
            var block = Frame.block(Frame.requestFields("/test.Test/Echo"))
            for number in 0..<5 { block += Frame.block([("x-\(number)", String(repeating: "y", count: 4_000))]) }
            peer.send(Frame(.headers, stream: 1, Array(block.prefix(16_000))).bytes)
            peer.send(Frame(.continuation, Frame.endHeaders, stream: 1, Array(block.dropFirst(16_000))).bytes)
            peer.send(Frame.message(1, []).bytes)
            peer.send(Frame.request(3, "/test.Test/Echo").bytes + Frame.message(3, []).bytes)
            var reader = FrameReader()
            // An answer that is but headers: a status, no message.
            let refusal = peer.next(.headers, &reader, on: 1)
            #expect(refusal.map(\.flags) == Frame.endHeaders | Frame.endStream)
            let good = peer.next(.data, &reader, on: 3)
            #expect(good != nil)
        }
    }

    @Test("a flood of CONTINUATION frames ends the connection")
    func continuations() async throws {
        try await attack { peer, _ in
            peer.send(Frame.hello + Frame(.headers, 0, stream: 1, Frame.block(Frame.requestFields("/x"))).bytes)
            let more = Frame(.continuation, 0, stream: 1, Frame.block([("a", "b")])).bytes
            for _ in 0..<10_000 where !peer.send(more) { break }
            #expect(peer.waitForEnd())
        }
    }

    @Test("header blocks that unpack to megabytes end the connection and take no memory")
    func headerBomb() async throws {
        try await attack { peer, _ in
            peer.send(Frame.hello)
            // One field of 4,000 bytes into the dynamic table, then references to it, a byte each.
            let seed: [UInt8] = [0x40] + Frame.block([("a", String(repeating: "z", count: 4_000))]).dropFirst()
            let before = Memory.residentBytes
            for stream in 0..<20 {
                let start = Frame.block(Frame.requestFields("/test.Test/Echo")) + seed
                let bomb = start + [UInt8](repeating: 0x80 | 62, count: 16_384 - start.count)
                // The connection may have ended already.
                guard peer.send(Frame(.headers, 5, stream: UInt32(2 * stream + 1), bomb).bytes) else { break }
            }
            #expect(peer.waitForEnd())
            #expect(Memory.grown(since: before, lessThanMiB: 100))
        }
    }
}
