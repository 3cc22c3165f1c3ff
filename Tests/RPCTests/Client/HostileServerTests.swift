import Contracts
import TestSupport
import Testing

@testable import RPC

/// Servers whose answers violate the protocol.
@Suite("A client and a hostile server", .turns)
struct HostileServerTests {
    struct Attack: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// Status of a call that gets this answer.
        var code: Status.Code
        /// Whether the connection can be used afterwards.
        var sparesConnection = true
        var answer: @Sendable (_ stream: UInt32) -> [UInt8]
    }

    private static let good = [(":status", "200"), ("content-type", "application/grpc")]

    private static func headers(_ stream: UInt32, _ fields: [(String, String)], endStream: Bool = false) -> [UInt8] {
        Frame(.headers, Frame.endHeaders | (endStream ? Frame.endStream : 0), stream: stream, Frame.block(fields)).bytes
    }

    /// Header, message and trailers.
    private static func answer(
        _ stream: UInt32, _ header: [(String, String)] = good, body: [UInt8] = [0, 0, 0, 0, 0],
        trailers: [(String, String)]
    ) -> [UInt8] {
        headers(stream, header) + Frame(.data, 0, stream: stream, body).bytes
            + headers(stream, trailers, endStream: true)
    }

    static let attacks: [Attack] = [
        Attack(testDescription: "a header list of 20 KB", code: .resourceExhausted) { stream in
            let block = Frame.block(good + (0..<20).map { ("x-\($0)", String(repeating: "x", count: 1_000)) })
            return Frame(.headers, 0, stream: stream, Array(block.prefix(16_000))).bytes
                + Frame(.continuation, Frame.endHeaders, stream: stream, Array(block.dropFirst(16_000))).bytes
        },
        Attack(testDescription: "informational responses without end", code: .resourceExhausted) { stream in
            let early = headers(stream, [(":status", "103"), ("link", "</style.css>")])
            return (0..<2_000).flatMap { _ in early }
        },
        Attack(testDescription: "a page without end", code: .unavailable) { stream in
            let page = Frame(.data, 0, stream: stream, [UInt8](repeating: 0x20, count: 1_000)).bytes
            // Within the window, which the client opens as it drops the bytes.
            return headers(stream, [(":status", "503"), ("content-type", "text/html")])
                + (0..<100).flatMap { _ in page }
        },
        Attack(testDescription: "no status", code: .unknown) { answer($0, trailers: []) },
        Attack(testDescription: "no trailers", code: .unknown) { stream in
            headers(stream, good) + Frame(.data, Frame.endStream, stream: stream, [0, 0, 0, 0, 0]).bytes
        },
        Attack(testDescription: "a status out of range", code: .unknown) {
            answer($0, trailers: [("grpc-status", "17")])
        },
        Attack(testDescription: "a status that is none", code: .unknown) {
            answer($0, trailers: [("grpc-status", "+0")])
        },
        Attack(testDescription: "a status of 16 KB", code: .unknown) {
            answer($0, trailers: [("grpc-status", String(repeating: "0", count: 15_000))])
        },
        Attack(testDescription: "another content type", code: .unknown) {
            answer(
                $0, [(":status", "200"), ("content-type", "application/grpc-web")], trailers: [("grpc-status", "0")])
        },
        Attack(testDescription: "the content type in the trailers", code: .unknown) {
            answer($0, [(":status", "200")], trailers: [("content-type", "application/grpc"), ("grpc-status", "0")])
        },
        Attack(testDescription: "the status in the header", code: .unknown) { stream in
            headers(stream, good + [("grpc-status", "0")])
                + Frame(.data, Frame.endStream, stream: stream, [0, 0, 0, 0, 0]).bytes
        },
        Attack(testDescription: "all of an answer in an informational one", code: .unknown) { stream in
            headers(stream, [(":status", "103"), ("content-type", "application/grpc"), ("grpc-status", "0")])
                + headers(stream, [(":status", "200")], endStream: true)
        },
        Attack(testDescription: "an informational response first", code: .ok) { stream in
            headers(stream, [(":status", "103"), ("grpc-status", "5")]) + Frame.emptyAnswer(stream)
        },
        Attack(testDescription: "a compressed message", code: .internal) {
            answer($0, body: [1, 0, 0, 0, 0], trailers: [("grpc-status", "0")])
        },
        Attack(testDescription: "a message of 4 GiB", code: .resourceExhausted) {
            answer($0, body: [0, 255, 255, 255, 255], trailers: [("grpc-status", "0")])
        },
        Attack(testDescription: "two messages", code: .unimplemented) {
            answer($0, body: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0], trailers: [("grpc-status", "0")])
        },
        Attack(testDescription: "a message that is not protobuf", code: .internal) {
            answer($0, body: [0, 0, 0, 0, 1, 0xff], trailers: [("grpc-status", "0")])
        },
        Attack(testDescription: "no answer to the call, but the end of its stream", code: .internal) {
            Frame.reset($0, code: 0).bytes
        },
        Attack(testDescription: "frames of nothing", code: .ok) { stream in
            headers(stream, good) + (0..<20_000).flatMap { _ in Frame(.data, 0, stream: stream).bytes }
                + Frame(.data, 0, stream: stream, [0, 0, 0, 0, 0]).bytes
                + headers(stream, [("grpc-status", "0")], endStream: true)
        },
        Attack(testDescription: "settings again and again", code: .unavailable, sparesConnection: false) { _ in
            (0..<20_000).flatMap { _ in Frame.settings([(id: 3, value: 100)]).bytes }
        },
        Attack(testDescription: "pings again and again", code: .unavailable, sparesConnection: false) { _ in
            (0..<20_000).flatMap { _ in Frame(.ping, 0, stream: 0, [0, 0, 0, 0, 0, 0, 0, 0]).bytes }
        },
        Attack(testDescription: "goodbyes again and again", code: .ok, sparesConnection: false) { stream in
            (0..<5_000).flatMap { _ in Frame.goAway(last: stream).bytes } + Frame.emptyAnswer(stream)
        },
        Attack(testDescription: "a push before it was forbidden", code: .ok) { stream in
            let promise = Frame.requestFields("/a") + [("grpc-status", "5"), ("content-type", "text/html")]
            return Frame(.pushPromise, Frame.endHeaders, stream: stream, Frame.big(2) + Frame.block(promise)).bytes
                + Frame.emptyAnswer(stream)
        },
        Attack(testDescription: "a push", code: .unavailable, sparesConnection: false) { stream in
            Frame(.settings, Frame.acknowledgement).bytes
                + Frame(
                    .pushPromise, Frame.endHeaders, stream: stream,
                    Frame.big(2) + Frame.block(Frame.requestFields("/a"))
                )
                .bytes
        },
        Attack(testDescription: "a window above 2 GiB", code: .unavailable, sparesConnection: false) { _ in
            Frame.windowUpdate(0, 0x7fff_ffff).bytes + Frame.windowUpdate(0, 0x7fff_ffff).bytes
        },
        Attack(testDescription: "no HTTP/2", code: .unavailable, sparesConnection: false) { _ in
            Array("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".utf8)
        },
    ]

    @Test("a call gets the status of the standards, in time, and the next call is served", arguments: attacks)
    func attack(_ attack: Attack) async throws {
        let server = try FakeServer { number, peer in
            var reader = FrameReader()
            var stream = try peer.acceptRequest(&reader)
            if number == 0 {
                peer.send(attack.answer(stream))
                stream = try peer.nextRequest(&reader)
            }
            while true {
                peer.send(Frame.emptyAnswer(stream))
                stream = try peer.nextRequest(&reader)
            }
        }
        try await withClient(server.port, { $0.attemptsMax = 1 }) { client in
            // Each loop has a connection of its own.
            let loop = try #require(client.loops.first)
            let status = await status(of: client, loop)
            #expect(status.code == attack.code, "\(status)")
            #expect(await self.status(of: client, loop) == .ok)
        }
        #expect(server.accepted == (attack.sparesConnection ? 1 : 2))
        server.stop()
    }

    private func status(of client: RPCClient, _ loop: LoopClient) async -> Status {
        do {
            _ = try await client.call(
                TestMethods.echo, Vessel_Vessel(), metadata: [:], deadline: .after(.seconds(20)), on: loop)
            return .ok
        } catch {
            return Status(error)
        }
    }
}
