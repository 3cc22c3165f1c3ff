import HTTP
import NIOCore
import RPC
import TestSupport
import Testing

@Suite("Memory of an HTTP server over all its connections", .serialized)
struct MemoryTests {
    private static let mebibyte = 1024 * 1024
    /// The smallest budget: 6 MiB for requests, 12 MiB for answers.
    private static var small: MemoryBudget { MemoryBudget(limitBytes: MemoryBudget.limitBytesMin) }

    @Test("unfinished bodies that would hold too much are rejected with 429; small requests are served")
    func unfinishedBodies() async throws {
        let memory = Self.small
        try await withServer(.echo(), configure: { $0.memory = memory }) { server, address in
            var clients: [RawClient] = []
            for _ in 0..<30 {
                let client = try await RawClient.connect(address)
                client.push(
                    "POST /large HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n"
                        + String(repeating: "a", count: 999_999))
                clients.append(client)
                let other = try await RawClient.connect(address)
                try await other.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi")
                #expect(try await other.responses(1).hasPrefix("HTTP/1.1 200"))
                await other.close()
            }
            try await eventually("rejections") {
                clients.count { $0.received.hasPrefix("HTTP/1.1 429") } >= 20
            }
            #expect(memory.usedBytes(.requests) <= memory.bytesMax(.requests))
            #expect(memory.rejections(.requests) > 0)
            for client in clients { await client.close() }
            try await eventually("the memory to come back") { memory.usedBytes(.requests) == 0 }
        }
    }

    @Test("unfinished heads, and requests queued behind a slow one, count too")
    func headsAndPipelines() async throws {
        let memory = Self.small
        let gate = Gate()
        let responder = ClosureResponder { _ in
            await gate.pass()
            return HTTPResponse(status: .ok)
        }
        try await withServer(responder, configure: { $0.memory = memory }) { server, address in
            let head = try await RawClient.connect(address)
            try await head.send("GET / HTTP/1.1\r\nx: y")
            try await eventually("the head to count") { memory.usedBytes(.requests) >= 12 * 1024 }
            await head.close()
            try await eventually("the memory to come back") { memory.usedBytes(.requests) == 0 }
            let pipeline = try await RawClient.connect(address)
            pipeline.push(String(repeating: "GET / HTTP/1.1\r\nhost: x\r\n\r\n", count: 1_000))
            try await eventually("the requests to count") { memory.usedBytes(.requests) >= 32 * 1024 }
            gate.open()
            _ = try await pipeline.responses(1_000)
            try await eventually("the memory to come back") { memory.usedBytes(.requests) == 0 }
            await pipeline.close()
        }
    }

    @Test("a complete head counts while its body is waited for, and until the request is answered")
    func completeHead() async throws {
        let memory = Self.small
        let gate = Gate()
        let responder = ClosureResponder { _ in
            await gate.pass()
            return HTTPResponse(status: .ok)
        }
        let field = "x: " + String(repeating: "y", count: 15_000)
        try await withServer(responder, configure: { $0.memory = memory }) { server, address in
            let client = try await RawClient.connect(address)
            try await client.send(
                "POST / HTTP/1.1\r\nhost: x\r\n\(field)\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
            try await eventually("100") { client.received.hasPrefix("HTTP/1.1 100") }
            #expect(memory.usedBytes(.requests) >= 12 * 1024)
            try await client.send("hi")
            try await eventually("the request") { responder.beganCount == 1 }
            #expect(memory.usedBytes(.requests) >= 12 * 1024)
            gate.open()
            _ = try await client.responses(2)
            try await eventually("the memory to come back") { memory.usedBytes(.requests) == 0 }
            await client.close()
        }
    }

    @Test("complete heads without their bodies hold at most the budget: 429 beyond it, and others are served")
    func completeHeads() async throws {
        let memory = Self.small
        let configure = { (configuration: inout HTTPServer.Configuration) in
            configuration.memory = memory
            // Larger than by default, so that few connections use the budget up.
            configuration.headerBytesMax = 256 * 1024
        }
        try await withServer(.echo(), configure: configure) { server, address in
            let field = "x: " + String(repeating: "y", count: 200_000)
            var clients: [RawClient] = []
            for _ in 0..<40 {
                let client = try await RawClient.connect(address)
                client.push("POST /rpc HTTP/1.1\r\nhost: x\r\n\(field)\r\ncontent-length: 10\r\n\r\n")
                clients.append(client)
            }
            try await eventually("rejections") {
                clients.count { $0.received.hasPrefix("HTTP/1.1 429") } >= 15
            }
            #expect(memory.usedBytes(.requests) <= memory.bytesMax(.requests))
            let other = try await RawClient.connect(address)
            try await other.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi")
            let answer = try await other.responses(1)
            #expect(answer.hasPrefix("HTTP/1.1 200"))
            for client in clients + [other] { await client.close() }
            try await eventually("the memory to come back") { memory.usedBytes(.requests) == 0 }
        }
    }

    @Test("unread answers share a limit; beyond it is 429, and others get small answers")
    func unreadAnswers() async throws {
        let memory = Self.small
        let responder = ClosureResponder { request in
            let count = request.path == "/large" ? 4 * Self.mebibyte : 100
            return HTTPResponse(status: .ok, body: ByteBuffer(repeating: 0x61, count: count))
        }
        try await withServer(responder, configure: { $0.memory = memory }) { server, address in
            var clients: [RawClient] = []
            for _ in 0..<20 {
                let client = try await RawClient.connect(address, reads: false)
                client.push("GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
                clients.append(client)
            }
            try await eventually("all requests") { responder.beganCount == 20 }
            let other = try await RawClient.connect(address)
            try await other.send("GET /small HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await other.responses(1).hasPrefix("HTTP/1.1 200"))
            #expect(memory.usedBytes(.responses) <= memory.bytesMax(.responses))
            #expect(memory.rejections(.responses) >= 10)
            for client in clients + [other] { await client.close() }
            try await eventually("the memory to come back") { memory.usedBytes(.responses) == 0 }
        }
    }

    @Test("a shared body takes no memory, however many wait for it")
    func sharedBodies() async throws {
        let memory = Self.small
        let body = ByteBuffer(repeating: 0x61, count: 4 * Self.mebibyte)
        let responder = ClosureResponder { _ in
            var response = HTTPResponse(status: .ok, body: body)
            response.isBodyShared = true
            return response
        }
        try await withServer(responder, configure: { $0.memory = memory }) { server, address in
            var clients: [RawClient] = []
            for _ in 0..<10 {
                let client = try await RawClient.connect(address, reads: false)
                client.push("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                clients.append(client)
            }
            try await eventually("all requests") { responder.beganCount == 10 }
            #expect(memory.rejections(.responses) == 0)
            for client in clients { await client.close() }
            try await eventually("the memory to come back") { memory.usedBytes(.responses) == 0 }
        }
    }

    @Test("a peer that reads a little now and then counts as one that reads nothing")
    func trickle() async throws {
        let body = ByteBuffer(repeating: 0x61, count: 32 * Self.mebibyte)
        let responder = ClosureResponder { _ in HTTPResponse(status: .ok, body: body) }
        try await withServer(
            responder,
            configure: {
                $0.writeTimeout = .milliseconds(500)
                // More than a peer that reads a few KiB at a time takes.
                $0.answerBytesMin = 16 * Self.mebibyte
            }
        ) { server, address in
            let client = try await RawClient.connect(address, reads: false)
            try await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            try await eventually("the server to give up") {
                client.channel.read()
                try await Task.sleep(for: .milliseconds(100))
                return server.connectionCount == 0
            }
            await client.close()
        }
    }
}

extension MemoryTests {
    /// HTTP/2 frames as bytes, with literal header fields (RFC 7541 section 6.2.2).
    private enum Frames {
        static func frame(_ kind: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8] = []) -> [UInt8] {
            [
                UInt8(payload.count >> 16 & 0xff), UInt8(payload.count >> 8 & 0xff), UInt8(payload.count & 0xff), kind,
                flags,
            ]
                + big(stream) + payload
        }

        static func big(_ value: UInt32) -> [UInt8] {
            (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
        }

        /// The preface, and SETTINGS with the initial window of each stream.
        static func hello(window: UInt32) -> [UInt8] {
            Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, 0, 0, [0, 4] + big(window))
        }

        static func request(_ stream: UInt32, _ method: String, _ path: String, endStream: Bool) -> [UInt8] {
            let fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")]
            var block: [UInt8] = []
            for (name, value) in fields {
                block += [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
            }
            return frame(1, endStream ? 5 : 4, stream, block)
        }

        static func windowUpdate(_ stream: UInt32, _ bytes: UInt32) -> [UInt8] { frame(8, 0, stream, big(bytes)) }
    }

    @Test("over HTTP/2 a closed window holds at most the budget: 429 for the rest, and small answers for others")
    func shutWindow() async throws {
        let memory = Self.small
        let responder = ClosureResponder { request in
            let count = request.path == "/large" ? 4 * Self.mebibyte : 100
            return HTTPResponse(status: .ok, body: ByteBuffer(repeating: 0x61, count: count))
        }
        try await withServer(responder, configure: { $0.memory = memory }) { server, address in
            let client = try await RawClient.connect(address)
            var bytes = Frames.hello(window: 0)
            for number in 0..<21 as Range<UInt32> {
                bytes += Frames.request(2 * number + 1, "GET", "/large", endStream: true)
            }
            try await client.channel.writeAndFlush(ByteBuffer(bytes: bytes))
            try await eventually("all requests") { responder.beganCount == 21 }
            try await eventually("rejections") { memory.rejections(.responses) >= 15 }
            #expect(memory.usedBytes(.responses) <= memory.bytesMax(.responses))
            let other = try await RawClient.connect(address)
            try await other.send("GET /small HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await other.responses(1).hasPrefix("HTTP/1.1 200"))
            for client in [client, other] { await client.close() }
            try await eventually("the memory to come back") { memory.usedBytes(.responses) == 0 }
        }
    }

    @Test("over HTTP/2 a byte of window now and then keeps no stream alive; the connection goes on")
    func windowByByte() async throws {
        let memory = Self.small
        let responder = ClosureResponder { _ in
            HTTPResponse(status: .ok, body: ByteBuffer(repeating: 0x61, count: 4 * Self.mebibyte))
        }
        try await withServer(
            responder,
            configure: {
                $0.memory = memory
                $0.writeTimeout = .milliseconds(500)
            }
        ) { server, address in
            let client = try await RawClient.connect(address)
            let request = Frames.request(1, "GET", "/", endStream: true)
            try await client.channel.writeAndFlush(ByteBuffer(bytes: Frames.hello(window: 0) + request))
            try await eventually("the answer to wait") { memory.usedBytes(.responses) >= 4 * Self.mebibyte }
            try await eventually("the stream's end") {
                try await client.channel.writeAndFlush(ByteBuffer(bytes: Frames.windowUpdate(1, 1)))
                return memory.usedBytes(.responses) == 0
            }
            #expect(server.connectionCount == 1)
            await client.close()
        }
    }

    @Test("over HTTP/2 bodies count as they arrive, over all connections")
    func unfinishedStreams() async throws {
        let memory = Self.small
        try await withServer(.echo(), configure: { $0.memory = memory }) { server, address in
            var clients: [RawClient] = []
            // As much as the initial windows allow, 15 x 64 KB on each connection, of bodies that never end.
            for _ in 0..<12 {
                let client = try await RawClient.connect(address)
                var bytes = Frames.hello(window: 65_535)
                for number in 0..<15 as Range<UInt32> {
                    bytes += Frames.request(2 * number + 1, "POST", "/", endStream: false)
                    for _ in 0..<4 {
                        bytes += Frames.frame(0, 0, 2 * number + 1, [UInt8](repeating: 0x61, count: 16_000))
                    }
                }
                try await client.channel.writeAndFlush(ByteBuffer(bytes: bytes))
                clients.append(client)
            }
            try await eventually("rejections") { memory.rejections(.requests) > 10 }
            #expect(memory.usedBytes(.requests) <= memory.bytesMax(.requests))
            let other = try await RawClient.connect(address)
            try await other.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi")
            #expect(try await other.responses(1).hasPrefix("HTTP/1.1 200"))
            for client in clients + [other] { await client.close() }
            try await eventually("the memory to come back") { memory.usedBytes(.requests) == 0 }
        }
    }
}
