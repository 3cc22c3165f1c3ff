import HTTP
import NIOCore
import NIOPosix
import RPC
import TestSupport
import Testing

/// Answers that are too small for a reservation of their own, to peers that send many requests and do not read.
@Suite("Small answers that nobody reads", .serialized)
struct UnreadAnswerTests {
    private static func requests(_ count: Int) -> String {
        String(repeating: "GET /many HTTP/1.1\r\nhost: x\r\n\r\n", count: count)
    }

    @Test("over all connections they hold at most the budget, and others are answered")
    func bounded() async throws {
        let memory = MemoryBudget(limitBytes: MemoryBudget.limitBytesMin)
        let budget = memory.bytesMax(.responses)
        let turnBytes = 256 * 1024
        let responder = ClosureResponder { request in
            HTTPResponse(
                status: .ok, body: ByteBuffer(repeating: 0x61, count: request.path == "/many" ? 15_000 : 100))
        }
        let configure = { (configuration: inout HTTPServer.Configuration) in
            configuration.memory = memory
            configuration.bufferedResponseBytesMax = turnBytes
            configuration.writeTimeout = .seconds(4)
        }
        try await withServer(responder, configure: configure) { _, address in
            let other = try await RawClient.connect(address)
            var clients: [RawClient] = []
            for _ in 0..<100 {
                let client = try await RawClient.connect(address, reads: false)
                client.push(Self.requests(40))
                clients.append(client)
            }
            var most = 0
            try await eventually("the budget to fill", within: .seconds(60)) {
                most = max(most, memory.usedBytes(.responses))
                return most >= budget - 512 * 1024
            }
            try await other.send(String(repeating: "GET /few HTTP/1.1\r\nhost: x\r\n\r\n", count: 20))
            let answers = try await other.responses(20)
            #expect(answers.occurrences(of: "HTTP/1.1 200") == 20)
            // A peer that takes nothing is closed sooner while memory is short. Those whose answers the kernel holds are idle.
            try await eventually("the memory to come back from peers that do not read", within: .seconds(60)) {
                most = max(most, memory.usedBytes(.responses))
                return memory.usedBytes(.responses) == 0
            }
            // What each loop writes in one turn may be beyond the budget.
            #expect(most <= budget + System.coreCount * 2 * turnBytes)
            for client in clients + [other] { await client.close() }
        }
    }

    @Test("a connection is answered no further while the budget is used up, and to the end once it reads")
    func resumes() async throws {
        let memory = MemoryBudget(limitBytes: MemoryBudget.limitBytesMin)
        var others: [MemoryReservation] = []
        while let reservation = MemoryReservation(16 * 1024, .responses, of: memory) { others.append(reservation) }
        // Room for what the connection has unsent, so that it is not over the limit and keeps its time to read.
        others.removeLast(2)
        let before = memory.usedBytes(.responses)
        let responder = ClosureResponder { _ in
            HTTPResponse(status: .ok, body: ByteBuffer(repeating: 0x61, count: 3_000))
        }
        let configure = { (configuration: inout HTTPServer.Configuration) in
            configuration.memory = memory
            configuration.bufferedResponseBytesMax = 8 * 1024 * 1024
        }
        try await withServer(responder, configure: configure) { server, address in
            let client = try await RawClient.connect(address, reads: false)
            client.push(Self.requests(1_000))
            var began = 0
            try await eventually("no further answer") {
                let last = began
                try await Task.sleep(for: .milliseconds(100))
                began = responder.beganCount
                return began > 0 && began == last
            }
            #expect(began < 1_000)
            #expect(memory.usedBytes(.responses) <= before + 16 * 1024)
            try await client.channel.setOption(.autoRead, value: true).get()
            try await eventually("all answers", within: .seconds(60)) { client.received.utf8.count >= 1_000 * 3_000 }
            try await eventually("the end of the last one", within: .seconds(60)) {
                client.received.occurrences(of: "HTTP/1.1 200") == 1_000
            }
            #expect(responder.beganCount == 1_000)
            await client.close()
        }
        withExtendedLifetime(others) {}
    }
}
