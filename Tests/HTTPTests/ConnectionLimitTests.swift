import HTTP
import NIOCore
import NIOPosix
import RPC
import TestSupport
import Testing

@Suite("Limits on connections")
struct ConnectionLimitTests {
    private static let request = "GET / HTTP/1.1\r\nhost: x\r\n\r\n"

    private func connect(_ count: Int, _ address: SocketAddress) async throws -> [RawClient] {
        var clients: [RawClient] = []
        for _ in 0..<count { clients.append(try await RawClient.connect(address)) }
        return clients
    }

    @Test("connections beyond the limit are closed at once, and busy ones stay open")
    func busy() async throws {
        let gate = Gate()
        let responder = ClosureResponder { _ in
            await gate.pass()
            return HTTPResponse(status: .ok)
        }
        let count = 2 * System.coreCount
        try await withServer(responder, configure: { $0.connectionsMax = count }) { server, address in
            let busy = try await connect(count, address)
            for client in busy { try await client.send(Self.request) }
            try await eventually("requests") { responder.beganCount == count }
            let further = try await RawClient.connect(address)
            #expect(try await further.end() == "")
            gate.open()
            for client in busy { #expect(try await client.responses(1).hasPrefix("HTTP/1.1 200")) }
        }
    }

    @Test("a newcomer replaces an idle connection", arguments: ["", "answered"])
    func idle(kind: String) async throws {
        let count = 4 * System.coreCount
        try await withServer(
            .echo(),
            configure: {
                $0.connectionsMax = count
                $0.newcomerGrace = .zero
            }
        ) { server, address in
            let idle = try await connect(count, address)
            try await eventually("all") { server.connectionCount == count }
            if !kind.isEmpty {
                for client in idle {
                    try await client.send(Self.request)
                    _ = try await client.responses(1)
                }
            }
            for _ in 0..<(3 * count) {
                let newcomer = try await RawClient.connect(address)
                try await newcomer.send(Self.request)
                #expect(try await newcomer.responses(1).hasPrefix("HTTP/1.1 200"))
                // It stays open and idle, like the others.
                withExtendedLifetime(newcomer) {}
            }
            // The longest-idle connection of the newcomer's loop is closed, whichever loop that is.
            try await eventually("some to go") { idle.contains { $0.hasEnded } }
            try await eventually("no more than allowed") { server.connectionCount <= count }
        }
    }

    /// What is part of a request, and what tells that the server has received it.
    enum Part: String, CaseIterable {
        case byte = "G"
        case head = "GET / HTTP/1.1\r\nhost: x\r\nx: "
        case withoutBody =
            "POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n"
    }

    @Test("a newcomer replaces a connection with part of a request", arguments: Part.allCases)
    func partial(part: Part) async throws {
        let count = 4 * System.coreCount
        let memory = MemoryBudget()
        let configure = { (configuration: inout HTTPServer.Configuration) in
            configuration.connectionsMax = count
            configuration.newcomerGrace = .zero
            configuration.requestTimeout = .seconds(300)
            configuration.memory = memory
        }
        try await withServer(.echo(), configure: configure) { server, address in
            let slow = try await connect(count, address)
            for client in slow { try await client.send(part.rawValue) }
            try await eventually("all parts") {
                part == .withoutBody
                    ? slow.allSatisfy { $0.received.hasPrefix("HTTP/1.1 100") }
                    // An unfinished head counts as the largest.
                    : memory.usedBytes(.requests) >= count * 12 * 1024
            }
            for _ in 0..<3 {
                let newcomer = try await RawClient.connect(address)
                try await newcomer.send(Self.request)
                let answer = try await newcomer.responses(1)
                #expect(answer.hasPrefix("HTTP/1.1 200"))
                await newcomer.close()
            }
            try await eventually("one to go") { slow.contains { $0.hasEnded } }
        }
    }

    @Test("part of a request is safe for the newcomer's grace")
    func partialGrace() async throws {
        let configure = { (configuration: inout HTTPServer.Configuration) in
            configuration.connectionsMax = 1
            configuration.newcomerGrace = .seconds(300)
            configuration.requestTimeout = .seconds(300)
        }
        try await withServer(.echo(), configure: configure) { server, address in
            let first = try await RawClient.connect(address)
            try await first.send("GET / HTTP/1.1\r\n")
            try await eventually("the first") { server.connectionCount == 1 }
            let newcomer = try await RawClient.connect(address)
            let text = try await newcomer.end()
            #expect(text == "")
            try await first.send("host: x\r\n\r\n")
            let answer = try await first.responses(1)
            #expect(answer.hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("a connection made a moment ago is not idle yet")
    func grace() async throws {
        try await withServer(
            .echo(),
            configure: {
                $0.connectionsMax = 1
                $0.newcomerGrace = .seconds(60)
            }
        ) { server, address in
            let first = try await RawClient.connect(address)
            try await eventually("the first") { server.connectionCount == 1 }
            #expect(try await RawClient.connect(address).end() == "")
            try await first.send(Self.request)
            #expect(try await first.responses(1).hasPrefix("HTTP/1.1 200"))
            // Its first request is answered.
            let second = try await RawClient.connect(address)
            try await second.send(Self.request)
            #expect(try await second.responses(1).hasPrefix("HTTP/1.1 200"))
            #expect(try await first.end().occurrences(of: "HTTP/1.1 ") == 1)
        }
    }

    @Test("an idle HTTP/2 connection that makes room sends GOAWAY")
    func goAway() async throws {
        try await withServer(.echo(), configure: { $0.connectionsMax = 1 }) { server, address in
            let port = try #require(address.port)
            let peers = try await onThread {
                let peer = try HTTP2Peer(port: port)
                peer.send(.http("GET", "/", stream: 1, endStream: true))
                #expect(peer.answer(1)?.status == "200")
                let newcomer = try RawPeer(port: port)
                newcomer.send(Array(Self.request.utf8))
                #expect(newcomer.receive()?.isEmpty == false)
                #expect(peer.waitForEnd())
                return peer.goAways.map(\.code)
            }
            #expect(peers == [0])
        }
    }

    @Test("a rejected peer that goes on sending makes room for a newcomer")
    func rejectedMakesRoom() async throws {
        try await withServer(.echo(), configure: { $0.connectionsMax = 1 }) { _, address in
            let rejected = try await RawClient.connect(address)
            try await rejected.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n")
            try await eventually("the answer") { rejected.received.contains("rejected: bodyTooLarge") }
            rejected.push("a")
            let newcomer = try await RawClient.connect(address)
            try await newcomer.send(Self.request)
            #expect(try await newcomer.responses(1).hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("an address at its limit loses its longest-idle connection, others lose none")
    func address() async throws {
        let loops = System.coreCount
        let limit = AddressLimit(connectionsMax: 10 * loops) { $0.port.map { _ in 1 } }
        try await withServer(
            .echo(),
            configure: {
                $0.addressLimit = limit
                $0.newcomerGrace = .zero
            }
        ) { server, address in
            let idle = try await connect(10 * loops, address)
            try await eventually("all") { server.connectionCount == 10 * loops }
            for _ in 0..<(5 * loops) {
                let client = try await RawClient.connect(address)
                try await client.send(Self.request)
                #expect(try await client.responses(1).hasPrefix("HTTP/1.1 200"))
            }
            try await eventually("no more than allowed") { server.connectionCount <= 10 * loops }
            try await eventually("some to go") { idle.contains { $0.hasEnded } }
        }
        let others = AddressLimit(connectionsMax: 1) { _ in nil }
        try await withServer(.echo(), configure: { $0.addressLimit = others }) { server, address in
            let clients = try await connect(20 * loops, address)
            try await eventually("all") { server.connectionCount == 20 * loops }
            #expect(!clients.contains { $0.hasEnded })
        }
    }

    @Test("an address whose connections are all busy gets no further one")
    func busyAddress() async throws {
        let gate = Gate()
        let responder = ClosureResponder { _ in
            await gate.pass()
            return HTTPResponse(status: .ok)
        }
        let loops = System.coreCount
        let limit = AddressLimit(connectionsMax: 8 * loops) { _ in 1 }
        try await withServer(responder, configure: { $0.addressLimit = limit }) { server, address in
            let busy = try await connect(8 * loops, address)
            for client in busy { try await client.send(Self.request) }
            try await eventually("requests") { responder.beganCount == 8 * loops }
            let further = try await RawClient.connect(address)
            #expect(try await further.end() == "")
            gate.open()
            for client in busy { #expect(try await client.responses(1).hasPrefix("HTTP/1.1 200")) }
        }
    }
}
