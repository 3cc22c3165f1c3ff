import HTTP
import NIOCore
import NIOPosix
import TestSupport
import Testing

@Suite("What a well-meaning peer sends")
struct RequestTests {
    @Test("a connection serves one request after the other")
    func keepAlive() async throws {
        try await withServer(.echo()) { server, address in
            let client = try await RawClient.connect(address)
            for index in 1...3 {
                try await client.send("GET /a\(index)?q=\(index) HTTP/1.1\r\nhost: x\r\n\r\n")
                let text = try await client.responses(index)
                #expect(text.contains("GET /a\(index) q=\(index) "))
            }
            #expect(!client.hasEnded)
            #expect(server.connectionCount == 1)
            #expect(client.received.contains("\r\ncontent-length: "))
            #expect(client.received.contains("\r\ndate: "))
            #expect(!client.received.contains("connection:"))
            await client.close()
            try await eventually("the connection to be forgotten") { server.connectionCount == 0 }
        }
    }

    @Test("pipelined requests are answered in their order, however long each takes")
    func pipelining() async throws {
        let gate = Gate()
        let responder = ClosureResponder { request in
            if request.path == "/1" { await gate.pass() }
            return HTTPResponse(status: .ok, body: ByteBuffer(string: "[\(request.path)]"))
        }
        try await withServer(responder) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send((1...20).map { "GET /\($0) HTTP/1.1\r\nhost: x\r\n\r\n" }.joined())
            try await eventually("the first") { responder.beganCount == 1 }
            #expect(client.received.isEmpty)
            gate.open()
            let text = try await client.responses(20)
            let paths = text.split(separator: "[").dropFirst().map { $0.prefix { $0 != "]" } }
            #expect(paths == (1...20).map { "/\($0)" })
        }
    }

    @Test("thousands of pipelined requests are answered without growing the stack")
    func deepPipelining() async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            let count = 20_000
            client.push(String(repeating: "GET / HTTP/1.1\r\nhost: x\r\n\r\n", count: count))
            try await eventually("all answers") { client.received.utf8.count > count * 100 }
            try await client.send("GET /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            let text = try await client.end()
            #expect(text.occurrences(of: "HTTP/1.1 200 OK") == count + 1)
        }
    }

    @Test("a request may come byte by byte")
    func partialBytes() async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            for character in "POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello" {
                try await client.send(String(character))
            }
            #expect(try await client.responses(1).hasSuffix("POST /p - hello"))
        }
    }

    @Test("a chunked body is put together, extensions and trailers ignored")
    func chunked() async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("POST /p HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
            try await client.send("4;name=value\r\ndefg\r\n0\r\ntrailer: t\r\n\r\n")
            #expect(try await client.responses(1).hasSuffix("POST /p - abcdefg"))
        }
    }

    @Test("an empty line behind a body begins no request that could be late")
    func emptyLine() async throws {
        try await withServer(.echo(), configure: { $0.requestTimeout = .milliseconds(200) }) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("POST /1 HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nok\r\n")
            _ = try await client.responses(1)
            try await Task.sleep(for: .milliseconds(600))
            try await client.send("\r\nGET /2 HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await client.responses(2).hasSuffix("GET /2 - "))
        }
    }

    @Test("an empty line in two pieces begins no request that could be late")
    func emptyLineInPieces() async throws {
        try await withServer(.echo(), configure: { $0.requestTimeout = .seconds(1) }) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("GET /1 HTTP/1.1\r\nhost: x\r\n\r\n")
            _ = try await client.responses(1)
            try await client.send("\r")
            try await Task.sleep(for: .milliseconds(200))
            try await client.send("\n")
            try await Task.sleep(for: .milliseconds(1_500))
            #expect(!client.hasEnded)
            try await client.send("GET /2 HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await client.responses(2).hasSuffix("GET /2 - "))
        }
    }

    @Test("HEAD gets the head of the answer alone")
    func head() async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("HEAD /h HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            let text = try await client.end()
            #expect(text.contains("\r\ncontent-length: 10\r\n"))
            #expect(text.hasSuffix("\r\n\r\n"))
        }
    }

    @Test("connection: close is obeyed and said")
    func connectionClose() async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send(
                "GET /1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\n\r\n")
            let text = try await client.end()
            #expect(text.contains("\r\nconnection: close\r\n"))
            #expect(text.contains("/1") && !text.contains("/2"))
        }
    }

    @Test("HTTP/1.0 ends after one answer, or stays when asked to")
    func http10() async throws {
        try await withServer(.echo()) { _, address in
            let brief = try await RawClient.connect(address)
            try await brief.send("GET / HTTP/1.0\r\n\r\n")
            #expect(try await brief.end().contains("connection: close"))
            let lasting = try await RawClient.connect(address)
            try await lasting.send("GET /1 HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
            #expect(try await lasting.responses(1).contains("connection: keep-alive"))
            try await lasting.send("GET /2 HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
            #expect(try await lasting.responses(2).contains("/2"))
        }
    }

    @Test("a higher minor version is served like 1.1")
    func higherMinorVersion() async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            for index in 1...2 {
                try await client.send("GET /\(index) HTTP/1.\(index + 1)\r\nhost: x\r\n\r\n")
                #expect(try await client.responses(index).hasSuffix("GET /\(index) - "))
            }
        }
    }

    @Test("a peer that asks first is told to go on")
    func expectContinue() async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("POST /p HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
            try await eventually("100") { client.received == "HTTP/1.1 100 Continue\r\n\r\n" }
            try await client.send("ok")
            #expect(try await client.responses(2).hasSuffix("POST /p - ok"))
        }
    }

    @Test("absolute targets are taken apart, and * belongs to OPTIONS")
    func targets() async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("GET http://other:80/a?b=1 HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await client.responses(1).hasSuffix("GET /a b=1 "))
            try await client.send("GET http://other HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await client.responses(2).hasSuffix("GET / - "))
            try await client.send("OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await client.responses(3).hasSuffix("OPTIONS * - "))
        }
    }

    @Test(
        "valid forms of hosts",
        arguments: [
            "", "shippy.example", "SHIPPY.example.:8080", "h:", "h:0", "h:65535", "h:00080", "127.0.0.1:80", "[::1]",
            "[2001:db8::1]:8080", "[::ffff:1.2.3.4]", "[v1.fe80::a+en1]", "a_b~c", "h%C3%A9", "a!$&'()*+,;=b",
        ])
    func hosts(host: String) async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("GET /a HTTP/1.1\r\nhost: \(host)\r\n\r\n")
            #expect(try await client.responses(1).hasSuffix("GET /a - "))
            if !host.isEmpty {
                try await client.send("GET HTTP://\(host)/b?c HTTP/1.1\r\nhost: \(host)\r\n\r\n")
                #expect(try await client.responses(2).hasSuffix("GET /b c "))
            }
        }
    }

    @Test("space around a value is not part of it")
    func space() async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("POST /a HTTP/1.1\r\nhost: \t x \t\r\ncontent-length: 2  \r\n\r\nok")
            #expect(try await client.responses(1).hasSuffix("POST /a - ok"))
            try await client.send(
                "POST /b HTTP/1.1\r\nhost: x \r\ntransfer-encoding: \tchunked \r\n\r\n2\r\nok\r\n0\r\n\r\n")
            #expect(try await client.responses(2).hasSuffix("POST /b - ok"))
            try await client.send("POST /c HTTP/1.1\r\nhost: x\r\nexpect: 100-continue \r\ncontent-length: 2\r\n\r\n")
            try await eventually("100") { client.received.hasSuffix("HTTP/1.1 100 Continue\r\n\r\n") }
        }
    }

    @Test("the host of an absolute target replaces Host")
    func absoluteHost() async throws {
        let responder = ClosureResponder { request in
            HTTPResponse(status: .ok, body: ByteBuffer(string: request.headers["host"].joined(separator: "|")))
        }
        try await withServer(responder) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("GET http://real.example:81/ HTTP/1.1\r\nHost: other.example\r\n\r\n")
            #expect(try await client.responses(1).hasSuffix("\r\n\r\nreal.example:81"))
        }
    }

    @Test(
        "encoded unreserved characters are decoded, others are not",
        arguments: [
            ("/%72pc", "/rpc"), ("/%72%70%63?%72", "/rpc"), ("/%7euser%2D%2e%5F", "/~user-._"),
            ("/a%2Fb%2fc", "/a%2Fb%2fc"),
            ("/%41%5a%30", "/AZ0"), ("/%2572pc", "/%2572pc"), ("/%", "/%"), ("/%7", "/%7"), ("/%zz", "/%zz"),
            ("/a%20b%3F%23%00", "/a%20b%3F%23%00"), ("/%C3%A9", "/%C3%A9"),
        ])
    func unreserved(target: String, path: String) async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("GET \(target) HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await client.responses(1).contains("GET \(path) "))
        }
    }

    @Test("many small headers are within the limit")
    func manyHeaders() async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            let many = (0..<300).map { "x\($0): y\r\n" }.joined()
            try await client.send("GET / HTTP/1.1\r\nhost: x\r\n\(many)\r\n")
            #expect(try await client.responses(1).hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("a request to upgrade is answered in HTTP/1.1 and is the last")
    func upgrade() async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("GET /u HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n")
            let text = try await client.end()
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n") && text.contains("connection: close"))
        }
    }

    @Test("a responder starts on the connection's event loop and comes back to it")
    func eventLoop() async throws {
        let responder = ClosureResponder { _ in
            let before = MultiThreadedEventLoopGroup.currentEventLoop
            try? await Task.sleep(for: .milliseconds(1))
            let after = MultiThreadedEventLoopGroup.currentEventLoop
            let isSame = before != nil && before === after
            return HTTPResponse(status: isSame ? .ok : HTTPResponse.Status(500))
        }
        try await withServer(responder) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await client.responses(1).hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("no header of a responder's can split a response")
    func headerInjection() async throws {
        let responder = ClosureResponder { _ in
            HTTPResponse(
                status: .ok,
                headers: ["x-good": "1", "x-bad": "a\r\nset-cookie: b", "content-length": "7", "connection": "close"],
                body: ByteBuffer(string: "body"))
        }
        try await withServer(responder) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            let text = try await client.responses(1)
            #expect(text.contains("x-good: 1\r\n") && text.contains("content-length: 4\r\n"))
            #expect(!text.contains("set-cookie") && !text.contains("content-length: 7") && !text.contains("connection"))
        }
    }
}
