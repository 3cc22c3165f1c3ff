import HTTP
import NIOCore
import TestSupport
import Testing

/// HTTP/2 with prior knowledge, asked by strangers: curl and h2load, both on nghttp2 of their own.
@Suite("HTTP/2")
struct HTTP2Tests {
    @Test("a request with a body is answered over HTTP/2")
    func roundTrip() async throws {
        try await withServer(.echo()) { _, address in
            let answer = try await curl(address, "/path?a=b", ["-d", "text", "-w", " %{http_version} %{http_code}"])
            #expect(answer == "POST /path a=b text 2 200")
        }
    }

    @Test("HEAD has the length of the body and no body")
    func head() async throws {
        try await withServer(.echo()) { _, address in
            let answer = try await curl(address, "/", ["--head"])
            #expect(answer.contains("HTTP/2 200") && answer.contains("content-length: 9"))
        }
    }

    @Test("many requests at a time on few connections are all answered")
    func load() async throws {
        try await withServer(.echo()) { server, address in
            let port = try #require(address.port)
            let report = try await Tool.run(
                "h2load", ["-n", "4000", "-c", "2", "-m", "60", "http://127.0.0.1:\(port)/"], within: .seconds(30))
            #expect(report.contains("status codes: 4000 2xx"))
            try await eventually("the connections to be forgotten") { server.connectionCount == 0 }
        }
    }

    @Test(
        "what is too large is rejected, and the next request works",
        arguments: [(["-H", "x: \(String(repeating: "a", count: 17_000))"], "431"), (["--data-binary", "@-"], "413")])
    func limits(arguments: [String], status: String) async throws {
        let folder = try TemporaryFolder()
        let file = folder.file("body")
        try await Tool.run("sh", ["-c", "head -c 3000 /dev/zero > \(file)"])
        try await withServer(.echo(), configure: { $0.bodyBytesMax = 2_000 }) { _, address in
            let flags = arguments.map { $0 == "@-" ? "@" + file : $0 }
            let code = try await curl(address, "/", flags + ["-o", "/dev/null", "-w", "%{http_code}"])
            #expect(code == status)
            let next = try await curl(address, "/next", [])
            #expect(next == "GET /next - ")
        }
    }

    @Test("a drain lets the request in progress end and closes the connection")
    func drain() async throws {
        let gate = Gate()
        let responder = ClosureResponder { _ in
            await gate.pass()
            return HTTPResponse(status: .ok, body: ByteBuffer(string: "done"))
        }
        try await withServer(responder) { server, address in
            async let answer = curl(address, "/", [])
            try await eventually("the request") { responder.beganCount == 1 }
            async let drained: Void = server.drain(timeout: .seconds(10))
            gate.open()
            #expect(try await answer == "done")
            await drained
            #expect(server.connectionCount == 0)
        }
    }

    @Test("a caller that leaves cancels its request")
    func cancellation() async throws {
        let responder = ClosureResponder { _ in
            await Gate().pass()
            return HTTPResponse(status: .ok)
        }
        try await withServer(responder) { server, address in
            await #expect(throws: (any Error).self) { try await curl(address, "/", ["--max-time", "0.3"]) }
            try await eventually("the cancellation") { responder.cancelledCount == 1 }
            try await eventually("the connection to be forgotten") { server.connectionCount == 0 }
        }
    }

    @Test(
        "half a preface and then something else is rejected",
        arguments: [("PRX / HTTP/1.1\r\n\r\n", "501"), ("PRI * HTTP/2.0\r\n\r\nXX", "505")])
    func nearlyPreface(text: String, status: String) async throws {
        try await withServer(.echo()) { _, address in
            let client = try await RawClient.connect(address)
            for byte in text { try await client.send(String(byte)) }
            let answer = try await client.end()
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
            await client.close()
            #expect(try await curl(address, "/next", []) == "GET /next - ")
        }
    }

    @Test("a peer that says only half of the preface is let go")
    func silent() async throws {
        try await withServer(.echo(), configure: { $0.requestTimeout = .milliseconds(200) }) { server, address in
            let client = try await RawClient.connect(address)
            try await client.send("PRI * HTTP/2.0\r\n")
            #expect(try await client.end() == "")
            await client.close()
            try await eventually("the connection to be forgotten") { server.connectionCount == 0 }
        }
    }

    private func curl(_ address: SocketAddress, _ path: String, _ arguments: [String]) async throws -> String {
        let port = try #require(address.port)
        let flags = ["-sS", "--http2-prior-knowledge"] + arguments + ["http://127.0.0.1:\(port)\(path)"]
        return try await Tool.run("curl", flags)
    }
}
