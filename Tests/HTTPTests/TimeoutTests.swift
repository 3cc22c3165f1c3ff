import HTTP
import NIOCore
import NIOPosix
import TestSupport
import Testing

@Suite("Peers that are slow, silent or gone", .serialized)
struct TimeoutTests {
    @Test("a request that trickles in is rejected with 408 when its time is up", arguments: ["", "host: x\r\n\r\n"])
    func slowLoris(head: String) async throws {
        let responder = ClosureResponder.echo()
        try await withServer(responder, configure: { $0.requestTimeout = .milliseconds(300) }) { _, address in
            let client = try await RawClient.connect(address)
            let began = NIODeadline.now()
            try await client.send("POST / HTTP/1.1\r\ncontent-length: 1000\r\n\(head)")
            // A byte now and then must not buy more time.
            try await eventually("the rejection") {
                client.push("a")
                return client.hasEnded
            }
            #expect(client.received.hasPrefix("HTTP/1.1 408"))
            #expect(NIODeadline.now() - began >= .milliseconds(250))
            #expect(responder.beganCount == 0)
        }
    }

    @Test("the time of a request starts anew with each request")
    func timeoutPerRequest() async throws {
        try await withServer(.echo(), configure: { $0.requestTimeout = .seconds(3) }) { _, address in
            let client = try await RawClient.connect(address)
            for index in 1...6 {
                try await client.send("GET / HTTP/1.1\r\n")
                let half = NIODeadline.now() + .milliseconds(700)
                try await eventually("a moment") { NIODeadline.now() > half }
                try await client.send("host: x\r\n\r\n")
                _ = try await client.responses(index)
            }
            #expect(!client.received.contains("408"))
        }
    }

    @Test("a silent connection is closed without a word")
    func idle() async throws {
        try await withServer(.echo(), configure: { $0.idleTimeout = .seconds(2) }) { server, address in
            let client = try await RawClient.connect(address)
            #expect(try await client.end() == "")
            let other = try await RawClient.connect(address)
            try await other.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await other.end().occurrences(of: "HTTP/1.1 ") == 1)
            try await eventually("the connections to be forgotten") { server.connectionCount == 0 }
        }
    }

    @Test("a slow responder is no idle connection")
    func slowResponder() async throws {
        let responder = ClosureResponder { _ in
            try? await Task.sleep(for: .milliseconds(1_500))
            return HTTPResponse(status: .ok)
        }
        try await withServer(
            responder,
            configure: {
                $0.idleTimeout = .milliseconds(500)
                $0.requestTimeout = .milliseconds(500)
            }
        ) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await client.end().hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("a peer that reads nothing is answered no further, and closed when it takes nothing")
    func slowReader() async throws {
        let body = ByteBuffer(repeating: 0x61, count: 256 * 1024)
        let responder = ClosureResponder { _ in HTTPResponse(status: .ok, body: body) }
        try await withServer(responder, configure: { $0.writeTimeout = .milliseconds(300) }) { server, address in
            let client = try await RawClient.connect(address, reads: false)
            try await client.send(String(repeating: "GET / HTTP/1.1\r\nhost: x\r\n\r\n", count: 1000))
            try await eventually("the first answers") { responder.beganCount > 0 }
            try await eventually("the server to give up") { server.connectionCount == 0 }
            // What sockets buffer, and one answer beyond the watermark; a thousand would be 256 MiB.
            #expect(responder.beganCount < 100)
            await client.close()
        }
    }

    @Test("a peer that reads slowly but steadily gets everything")
    func steadyReader() async throws {
        let body = ByteBuffer(repeating: 0x61, count: 8 * 1024 * 1024)
        let responder = ClosureResponder { _ in HTTPResponse(status: .ok, body: body) }
        try await withServer(responder, configure: { $0.writeTimeout = .milliseconds(500) }) { _, address in
            let client = try await RawClient.connect(address, reads: false)
            try await client.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            try await eventually("everything") {
                client.channel.read()
                return client.hasEnded
            }
            #expect(client.received.utf8.count > body.readableBytes)
        }
    }

    @Test("a flood of pipelined requests behind a slow one is not read")
    func pipelineFlood() async throws {
        let gate = Gate()
        let responder = ClosureResponder { _ in
            await gate.pass()
            return HTTPResponse(status: .ok)
        }
        try await withServer(responder) { _, address in
            let client = try await RawClient.connect(address)
            let request =
                "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n" + String(repeating: "a", count: 1000)
            for _ in 0..<20 { client.push(String(repeating: request, count: 1000)) }
            try await eventually("the first") { responder.beganCount == 1 }
            var before = -1
            var buffered = 0
            try await eventually("the peer to be stopped") {
                before = buffered
                try await Task.sleep(for: .milliseconds(100))
                buffered = try await client.channel.getOption(.bufferedWritableBytes).get()
                return before == buffered
            }
            // 21 MB were pushed; sockets hold a few.
            #expect(buffered > 10_000_000)
            #expect(responder.beganCount == 1)
            await client.close()
            gate.open()
        }
    }

    @Test("a peer that only stops sending gets its answers")
    func halfClosed() async throws {
        let responder = ClosureResponder { request in
            try? await Task.sleep(for: .milliseconds(50))
            return HTTPResponse(status: .ok, body: ByteBuffer(string: request.path))
        }
        try await withServer(responder) { _, address in
            let client = try await RawClient.connect(address)
            try await client.send("GET /1 HTTP/1.1\r\nhost: x\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\n\r\n")
            try await client.finishSending()
            let text = try await client.end()
            #expect(text.contains("/1") && text.hasSuffix("/2"))
            #expect(responder.cancelledCount == 0)
        }
    }

    @Test("a request cut short is rejected")
    func cutShort() async throws {
        let responder = ClosureResponder.echo()
        try await withServer(responder) { _, address in
            for request in ["GET / HT", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc"] {
                let client = try await RawClient.connect(address)
                try await client.send(request)
                try await client.finishSending()
                #expect(try await client.end().hasPrefix("HTTP/1.1 400"))
            }
            #expect(responder.beganCount == 0)
        }
    }

    @Test("a peer that resets, or stops sending and waits too long, cancels its request", arguments: [true, false])
    func cancellation(resets: Bool) async throws {
        let responder = ClosureResponder { _ in
            await Gate().pass()
            return HTTPResponse(status: .ok)
        }
        try await withServer(responder, configure: { $0.halfClosedTimeout = .milliseconds(100) }) { server, address in
            let client = try await RawClient.connect(address)
            try await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            try await eventually("the request") { responder.beganCount == 1 }
            if resets { try await client.reset() } else { await client.close() }
            try await eventually("the cancellation") { responder.cancelledCount == 1 }
            try await eventually("the connection to be forgotten") { server.connectionCount == 0 }
        }
    }
}
