import HTTP
import NIOCore
import TestSupport
import Testing

@Suite("What is rejected")
struct RejectionTests {
    @Test(
        "requests that two servers could read differently are rejected and close the connection",
        arguments: [
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 4\r\n\r\nabcd",
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4, 4\r\n\r\nabcd",
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: +4\r\n\r\nabcd",
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0x4\r\n\r\nabcd",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: , chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length : 4\r\n\r\nabcd",
            "POST / HTTP/1.1\r\nhost: x\r\n content-length: 4\r\n\r\nabcd",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\nbad name: y\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\nname: a\u{0}b\r\n\r\n",
            "GET nothing HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET / HTTP/1.10\r\nhost: x\r\n\r\n",
            "nonsense\r\n\r\n",
            "GET / HTTQ/1.1\r\nhost: x\r\n\r\n",
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}",
        ])
    func smuggling(request: String) async throws {
        let responder = ClosureResponder.echo()
        try await withServer(responder) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send(request + "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n")
            let text = try await client.end()
            #expect(text.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
            #expect(text.contains("\r\nconnection: close\r\n"))
            #expect(text.occurrences(of: "HTTP/1.1 ") == 1)
            #expect(responder.beganCount == 0)
        }
    }

    @Test(
        "an unknown method or transfer coding is 501",
        arguments: [
            "FOO /rpc HTTP/1.1\r\nhost: x\r\n\r\n", "BREW /pot HTTP/1.1\r\nhost: x\r\n\r\n",
            "get / HTTP/1.1\r\nhost: x\r\n\r\n", "GETTING / HTTP/1.1\r\nhost: x\r\n\r\n",
            "DESCRIBE / HTTP/1.1\r\nhost: x\r\n\r\n", "X-!~ / HTTP/1.1\r\nhost: x\r\n\r\n",
            "CONNECT other:443 HTTP/1.1\r\nhost: other:443\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\ntransfer-encoding: Chunked\r\n\r\n0\r\n\r\n",
        ])
    func notImplemented(request: String) async throws {
        let responder = ClosureResponder.echo()
        try await withServer(responder) { _, address in
            // The parser knows this method, and fails only at the protocol.
            let isRTSP = request.hasPrefix("DESCRIBE")
            for bytewise in isRTSP ? [false] : [false, true] {
                let client = try await RawClient.connect(address)
                if bytewise {
                    // The connection may be closed before all is sent.
                    for character in request { try? await client.send(String(character)) }
                } else {
                    try await client.send(request)
                }
                let text = try await client.end()
                #expect(text.hasPrefix("HTTP/1.1 501 Not Implemented\r\n"), "byte by byte: \(bytewise)")
                #expect(text.contains("\r\nconnection: close\r\n"))
            }
            #expect(responder.beganCount == 0)
            let client = try await RawClient.connect(address)
            try await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n" + request)
            let codes = try await client.end().split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
            #expect(codes == ["200", "501"])
        }
    }

    @Test(
        "a major version other than 1 is 505",
        arguments: [
            "GET / HTTP/3.7\r\nhost: x\r\n\r\n", "GET / HTTP/2.0\r\nhost: x\r\n\r\n", "GET / HTTP/0.9\r\n\r\n",
            "FOO / HTTP/2.0\r\nhost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        ])
    func versionNotSupported(request: String) async throws {
        let responder = ClosureResponder.echo()
        try await withServer(responder) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send(request + "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n")
            let text = try await client.end()
            #expect(text.hasPrefix("HTTP/1.1 505 HTTP Version Not Supported\r\n"))
            #expect(text.contains("\r\nconnection: close\r\n"))
            #expect(text.occurrences(of: "HTTP/1.1 ") == 1)
            #expect(responder.beganCount == 0)
        }
    }

    @Test(
        "an invalid host is rejected, in Host and in the target",
        arguments: [
            "a b", "a/b", "u@h", "u:p@h", "h:99999999", "h:65536", "h:-1", "h:x", "[::1", "::1", "[::1]x", "[v1.]",
            "[fe80::1%25eth0]",
            ":80", "h%2", "h?", "h#", "h\\", "\u{e9}", "<h>", "h\"",
        ])
    func invalidHost(host: String) async throws {
        let responder = ClosureResponder.echo()
        try await withServer(responder) { _, address in
            for head in [
                "GET / HTTP/1.1\r\nhost: \(host)\r\n\r\n", "GET / HTTP/1.0\r\nhost: \(host)\r\n\r\n",
                "GET http://\(host)/ HTTP/1.1\r\nhost: x\r\n\r\n",
            ] where !(head.hasPrefix("GET http://h?") || head.hasPrefix("GET http://a/b")) {
                let client = try await RawClient.connect(address)
                try await client.send(head)
                #expect(try await client.end().hasPrefix("HTTP/1.1 400 Bad Request\r\n"), "\(head)")
            }
            #expect(responder.beganCount == 0)
        }
    }

    @Test(
        "an absolute target must be http or https with a host, and no target has a fragment",
        arguments: [
            "http:///rpc", "https:///", "http://", "http://:80/", "http:/rpc", "ftp://h/", "http://u:p@h/", "/rpc#here",
            "http://h/#here", "h/rpc", "*",
        ])
    func invalidTarget(target: String) async throws {
        let responder = ClosureResponder.echo()
        try await withServer(responder) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("GET \(target) HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await client.end().hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
            #expect(responder.beganCount == 0)
        }
    }

    @Test(
        "a rejection of HEAD has no content",
        arguments: [
            ("HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\n", "413"),
            ("HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n6\r\naaaaaa\r\n6\r\nbbbbbb\r\n", "413"),
            ("HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n", "408"), ("HTTP/1.1\r\nhost: x\r\n", "408"),
            ("HTTP/1.1\r\nhost: x\r\nx: \(String(repeating: "a", count: 17_000))", "431"),
            (String(repeating: "a", count: 17_000), "431"),
            ("HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", "400"), ("HTTP/x\r\nhost: x\r\n\r\n", "400"),
            ("HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", "400"),
            ("HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n", "501"),
        ])
    func rejectedHead(rest: String, status: String) async throws {
        try await withServer(
            .echo(),
            configure: {
                $0.bodyBytesMax = 10
                $0.requestTimeout = .milliseconds(300)
            }
        ) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            _ = try await client.responses(1)
            let before = client.received.utf8.count
            try await client.send("HEAD / " + rest)
            let all = try await client.end()
            let text = String(decoding: all.utf8.dropFirst(before), as: UTF8.self)
            #expect(text.hasPrefix("HTTP/1.1 \(status) "))
            #expect(text.contains("\r\ncontent-length: "))
            #expect(text.occurrences(of: "\r\n\r\n") == 1 && text.hasSuffix("\r\n\r\n"))
        }
    }

    @Test("requests before a malformed one are answered first")
    func orderOfRejections() async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send(
                "GET /1 HTTP/1.1\r\nhost: x\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\n\r\nnonsense\r\n\r\n")
            let text = try await client.end()
            let codes = text.split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
            #expect(codes == ["200", "200", "400"])
        }
    }

    @Test("a body of exactly the limit is taken, one byte more is rejected, before it is sent")
    func bodyLimit() async throws {
        try await withServer(.echo()) { _, address in
            let limit = 1024 * 1024
            let client = try await RawClient.connect(address)
            let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: "
            try await client.send("\(head)\(limit)\r\n\r\n" + String(repeating: "a", count: limit))
            try await eventually("the echo") { client.received.utf8.count > limit }
            #expect(client.received.hasPrefix("HTTP/1.1 200"))
            let other = try await RawClient.connect(address)
            try await other.send("\(head)\(limit + 1)\r\nexpect: 100-continue\r\n\r\n")
            #expect(try await other.end().hasPrefix("HTTP/1.1 413"))
        }
    }

    @Test("a chunked body is rejected when it passes the limit")
    func chunkedLimit() async throws {
        try await withServer(.echo(), configure: { $0.bodyBytesMax = 100 }) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in 0..<3 { client.push("28\r\n" + String(repeating: "a", count: 40) + "\r\n") }
            #expect(try await client.end().hasPrefix("HTTP/1.1 413"))
        }
    }

    @Test(
        "a length that no number holds is too large, of a body or of a chunk",
        arguments: [
            "content-length: 9223372036854775807\r\n\r\n", "content-length: 9223372036854775808\r\n\r\n",
            "content-length: 99999999999999999999999\r\n\r\n",
            "transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        ])
    func oversized(rest: String) async throws {
        let responder = ClosureResponder.echo()
        try await withServer(responder) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("POST / HTTP/1.1\r\nhost: x\r\n\(rest)GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n")
            let text = try await client.end()
            #expect(text.hasPrefix("HTTP/1.1 413 "))
            #expect(text.occurrences(of: "HTTP/1.1 ") == 1)
            #expect(responder.beganCount == 0)
        }
    }

    @Test("a rejected peer that goes on sending can still read why")
    func lingering() async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n")
            // Every byte is taken although the answer is out and the server's side is closed: no reset.
            for _ in 0..<40 { try await client.send(String(repeating: "a", count: 100_000)) }
            #expect(try await client.end().hasPrefix("HTTP/1.1 413"))
            #expect(client.received.contains("rejected: bodyTooLarge"))
            #expect(!client.hasFailed)
        }
    }

    @Test("a rejected peer that never closes is closed")
    func lingerEnds() async throws {
        try await withServer(.echo(), configure: { $0.lingerTimeout = .milliseconds(100) }) { server, address in
            let client = try await RawClient.connect(address)
            try await client.send("nonsense\r\n\r\n")
            _ = try await client.end()
            try await eventually("the connection to be forgotten") { server.connectionCount == 0 }
        }
    }

    @Test("a rejected peer that goes on sending is heard out, but not for ever")
    func lingersWhileBytesCome() async throws {
        func configure(_ configuration: inout HTTPServer.Configuration) {
            configuration.lingerTimeout = .seconds(1)
            configuration.lingerTimeMax = .seconds(3)
        }
        try await withServer(.echo(), configure: configure) { server, address in
            let client = try await RawClient.connect(address)
            try await client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n")
            try await eventually("the answer") { client.received.contains("rejected: bodyTooLarge") }
            let answered = ContinuousClock.now
            try await eventually("the connection to be forgotten") {
                client.push("a")
                return server.connectionCount == 0
            }
            // Longer than a peer that says nothing is waited for.
            #expect(ContinuousClock.now - answered > .milliseconds(1_500))
        }
    }

    @Test("headers beyond the limit are rejected: in one field, in many, in the target, in trailers")
    func headerLimit() async throws {
        let long = String(repeating: "a", count: 17_000)
        let many = (0..<520).map { "x\($0): y\r\n" }.joined()
        let pieces = (0..<40).map { "x\($0): \(String(repeating: "a", count: 500))\r\n" }.joined()
        for request in [
            "GET / HTTP/1.1\r\nhost: x\r\nlong: \(long)\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\n\(long): y\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\n\(many)\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\n\(pieces)\r\n",
            "GET /\(long) HTTP/1.1\r\nhost: x\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\(pieces)\r\n",
        ] {
            try await withServer(.echo()) { _, address in
                let client = try await RawClient.connect(address)
                client.push(request)
                let text = try await client.end()
                #expect(text.hasPrefix("HTTP/1.1 431"), "\(request.prefix(60))")
            }
        }
    }

    @Test("random bytes end in a rejection or a close, and the server goes on")
    func noise() async throws {
        try await withServer(.echo(), configure: { $0.requestTimeout = .milliseconds(200) }) { _, address in
            var random = SystemRandomNumberGenerator()
            for _ in 0..<100 {
                let client = try await RawClient.connect(address)
                let head = [
                    "", "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n",
                ]
                let bytes = (0..<Int.random(in: 1...400)).map { _ in UInt8.random(in: 0...255, using: &random) }
                client.push(head[Int.random(in: 0..<3)])
                try? await client.channel.writeAndFlush(ByteBuffer(bytes: bytes))
                try? await client.finishSending()
                _ = try await client.end()
            }
            let client = try await RawClient.connect(address)
            try await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await client.responses(1).hasPrefix("HTTP/1.1 200"))
        }
    }
}
