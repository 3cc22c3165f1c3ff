import HTTP
import NIOCore
import TestSupport
import Testing

@Suite("Draining")
struct DrainTests {
    @Test("idle connections end, a request in progress finishes with connection: close, nobody new gets in")
    func drain() async throws {
        let gate = Gate()
        let responder = ClosureResponder { _ in
            await gate.pass()
            return HTTPResponse(status: .ok, body: ByteBuffer(string: "done"))
        }
        try await withServer(responder, configure: { $0.drainIdleTimeout = .milliseconds(200) }) { server, address in
            // Connections go round the loops: with so many, each loop has an idle one, and has begun to drain when it ends.
            var idle: [RawClient] = []
            for _ in 0..<(2 * System.coreCount) { idle.append(try await RawClient.connect(address)) }
            let busy = try await RawClient.connect(address)
            try await busy.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            try await eventually("the request") {
                responder.beganCount == 1 && server.connectionCount == idle.count + 1
            }
            async let drained: Void = server.drain(timeout: .seconds(10))
            for client in idle { #expect(try await client.end() == "") }
            #expect(!busy.hasEnded)
            await #expect(throws: (any Error).self) { try await RawClient.connect(address) }
            gate.open()
            let text = try await busy.end()
            #expect(text.contains("connection: close") && text.hasSuffix("done"))
            await busy.close()
            await drained
            #expect(server.connectionCount == 0)
        }
    }

    @Test("callers that send a request each 100 ms over open connections lose none to a drain")
    func openConnections() async throws {
        let responder = ClosureResponder.echo()
        try await withServer(responder) { server, address in
            try await withThrowingTaskGroup(of: Int.self) { callers in
                for _ in 0..<8 { callers.addTask { try await Self.callUntilClosed(address) } }
                try await eventually("requests of each") { responder.beganCount >= 24 }
                await server.drain(timeout: .seconds(10))
                var answered = 0
                for try await count in callers { answered += count }
                #expect(answered == responder.beganCount)
            }
            #expect(server.connectionCount == 0)
        }
    }

    /// Sends requests over one connection until an answer says that it closes.
    ///
    /// - Returns: how many were answered.
    /// - Throws: when one was not.
    private static func callUntilClosed(_ address: SocketAddress) async throws -> Int {
        let client = try await RawClient.connect(address)
        var count = 0
        while !client.received.contains("connection: close") {
            count += 1
            try await client.send("GET /\(count) HTTP/1.1\r\nhost: x\r\n\r\n")
            _ = try await client.responses(count)
            try await Task.sleep(for: .milliseconds(100))
        }
        let all = try await client.end()
        #expect(all.hasSuffix("GET /\(count) - "))
        await client.close()
        return count
    }

    @Test("the first request of a connection that is open when the drain begins is answered, too")
    func firstRequest() async throws {
        try await withServer(.echo()) { server, address in
            let client = try await RawClient.connect(address)
            try await eventually("the connection") { server.connectionCount == 1 }
            async let drained: Void = server.drain(timeout: .seconds(60))
            try await eventually("the listener to close") {
                (try? await RawClient.connect(address)) == nil
            }
            try await client.send("GET /first HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await client.end().hasSuffix("GET /first - "))
            await client.close()
            await drained
        }
    }

    @Test("a connection on which no request comes stays open for a while, and then ends")
    func idle() async throws {
        try await withServer(.echo(), configure: { $0.drainIdleTimeout = .milliseconds(700) }) { server, address in
            let client = try await RawClient.connect(address)
            try await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            _ = try await client.responses(1)
            let began = NIODeadline.now()
            await server.drain(timeout: .seconds(30))
            let waited = NIODeadline.now() - began
            #expect(waited >= .milliseconds(650) && waited < .seconds(10), "\(waited)")
            #expect(try await client.end().occurrences(of: "HTTP/1.1 ") == 1)
        }
    }

    @Test("a request that is half sent when the drain begins is still answered")
    func halfSent() async throws {
        try await withServer(.echo()) { server, address in
            let client = try await RawClient.connect(address)
            try await client.send("POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab")
            // The server has read it when the next connection, on whichever loop, has been answered.
            let other = try await RawClient.connect(address)
            try await other.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            _ = try await other.end()
            await other.close()
            try await eventually("one connection") { server.connectionCount == 1 }
            async let drained: Void = server.drain(timeout: .seconds(10))
            try await eventually("the listener to close") {
                (try? await RawClient.connect(address)) == nil
            }
            try await client.send("cd")
            #expect(try await client.end().hasSuffix("POST /p - abcd"))
            await client.close()
            await drained
        }
    }

    @Test("what takes longer than the drain's timeout is cut off and cancelled")
    func force() async throws {
        let responder = ClosureResponder { _ in
            await Gate().pass()
            return HTTPResponse(status: .ok)
        }
        try await withServer(responder) { server, address in
            let client = try await RawClient.connect(address)
            try await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            try await eventually("the request") { responder.beganCount == 1 }
            let began = NIODeadline.now()
            await server.drain(timeout: .milliseconds(100))
            #expect(NIODeadline.now() - began < .seconds(5))
            #expect(try await client.end() == "")
            try await eventually("the cancellation") { responder.cancelledCount == 1 }
            // A second drain finds nothing to do.
            await server.drain(timeout: .seconds(10))
        }
    }
}
