import TestSupport
import Testing

@testable import RPC

/// Header fields of requests, as peers write them that are not our client.
@Suite("Request headers and our server", .turns)
struct RequestHeaderTests {
    /// The headers of a call, and one more field whose value may be any bytes.
    private static func request(_ stream: UInt32, _ path: String, _ name: String, _ value: [UInt8]) -> Frame {
        var block = Frame.block(Frame.requestFields(path))
        block += [0, UInt8(name.utf8.count)]
        block += Array(name.utf8)
        block.append(UInt8(value.count))
        block += value
        return Frame(.headers, Frame.endHeaders, stream: stream, block)
    }

    @Test(
        "a key or a token that is not printable ASCII is INVALID_ARGUMENT",
        arguments: ["idempotency-key", "authorization", "token"],
        [[0xff, 0x71], [0xfe, 0x71], [0xc3, 0xa9], [0x61, 0x09, 0x62]] as [[UInt8]])
    func invalid(name: String, value: [UInt8]) async throws {
        try await withServer { server in
            try await onThread {
                let peer = try HTTP2Peer(port: server.port)
                peer.send(Self.request(1, "/test.Test/Echo", name, value), Frame.message(1, []))
                let answer = peer.answer(1)
                #expect(answer?["grpc-status"] == "3")
                let text = "\(name) must be printable ASCII"
                #expect(answer?["grpc-message"] == text)
                let details = ErrorDetail.details(inTrailer: answer?["grpc-status-details-bin"] ?? "")
                #expect(details == [.badRequest([.init(field: name, description: text)])])
            }
            #expect(server.log.began == 0)
        }
    }

    @Test("a malformed grpc-timeout is INVALID_ARGUMENT, with the field in the details")
    func timeout() async throws {
        try await withServer { server in
            try await onThread {
                let peer = try HTTP2Peer(port: server.port)
                peer.send(Self.request(1, "/test.Test/Echo", "grpc-timeout", Array("1x".utf8)), Frame.message(1, []))
                let answer = peer.answer(1)
                #expect(answer?["grpc-status"] == "3")
                let details = ErrorDetail.details(inTrailer: answer?["grpc-status-details-bin"] ?? "")
                #expect(
                    details == [.badRequest([.init(field: "grpc-timeout", description: "grpc-timeout is malformed")])])
            }
            #expect(server.log.began == 0)
        }
    }

    @Test(
        "the letters of the content type may have any case, and blanks may precede its parameters",
        arguments: [
            ("application/grpc", "200"), ("APPLICATION/GRPC", "200"), ("application/grpc ;x", "200"),
            ("Application/Grpc+Proto; x=y", "200"), ("application/grpc-web", "415"), ("application/grpc x", "415"),
        ])
    func contentType(type: String, status: String) async throws {
        try await withServer { server in
            try await onThread {
                let peer = try HTTP2Peer(port: server.port)
                let fields = [
                    (":method", "POST"), (":scheme", "http"), (":path", "/test.Test/Echo"), (":authority", "test"),
                    ("te", "trailers"), ("content-type", type),
                ]
                peer.send(Frame(.headers, Frame.endHeaders, stream: 1, Frame.block(fields)), Frame.message(1, []))
                let answer = peer.answer(1)
                #expect(answer?.status == status)
            }
        }
    }

    @Test("other metadata is dropped when it is not printable ASCII, and kept when it is")
    func other() async throws {
        try await withServer { server in
            try await onThread {
                let peer = try HTTP2Peer(port: server.port)
                // id: the name of the field that the answer shows.
                let message: [UInt8] = [0x0a, 6] + Array("x-test".utf8)
                peer.send(Self.request(1, "/test.Test/Context", "x-test", [0x61, 0xff]), Frame.message(1, message))
                let dropped = peer.answer(1)
                #expect(dropped?["grpc-status"] == "0")
                #expect(dropped?.text.contains("(absent)") == true)
                let value = Array("!~a b".utf8)
                peer.send(Self.request(3, "/test.Test/Context", "x-test", value), Frame.message(3, message))
                let kept = peer.answer(3)
                #expect(kept?["grpc-status"] == "0")
                #expect(kept?.text.contains("!~a b") == true)
            }
        }
    }
}
