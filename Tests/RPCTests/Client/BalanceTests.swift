import Contracts
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import RPC

/// Several servers behind one name.
@Suite("A name with several addresses", .turns)
struct BalanceTests {
    private func withServers<R>(_ count: Int, _ body: ([TestServer]) async throws -> R) async throws -> R {
        var servers: [TestServer] = []
        for _ in 0..<count { servers.append(try await TestServer.start()) }
        let result = try await body(servers)
        for server in servers { await server.stop() }
        return result
    }

    @Test("calls are shared evenly")
    func even() async throws {
        try await withServers(3) { servers in
            let addresses = try servers.map { try $0.socketAddress }
            try await withClient(addresses: { addresses }) { client in
                _ = try await client.echo("first")
                try await eventually("a connection to each on every loop") {
                    client.connectionCount >= 3
                }
                for _ in 0..<600 { _ = try await client.echo("x") }
                for server in servers { #expect(server.log.began > 100, "\(servers.map(\.log.began))") }
            }
        }
    }

    @Test("a slow server gets fewer calls than a quick one")
    func slow() async throws {
        try await withServers(2) { servers in
            let addresses = try servers.map { try $0.socketAddress }
            // One loop, so that the client sees all of its calls in flight.
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            var configuration = RPCClient.Configuration(target: HostPort(host: "service.test", port: 1))
            configuration.connectWait = .seconds(15)
            let client = RPCClient(configuration: configuration, group: group, logger: quiet) { _ in addresses }
            _ = try await client.echo("first")
            try await eventually("both connections") { client.connectionCount == 2 }
            // Five calls that do not end: one server has more of them, and gets no more calls than the other.
            let base = servers.map(\.log.began)
            let stuck = (0..<5).map { _ in
                Task { await client.status(of: TestMethods.wait, Vessel_Vessel(capacity: 60_000)) }
            }
            try await eventually("the stuck calls") { servers.map(\.log.began).reduce(0, +) == 6 }
            let before = servers.map(\.log.began)
            for _ in 0..<100 { _ = try await client.echo("x") }
            let after = zip(servers.map(\.log.began), before).map { $0 - $1 }
            let busy = before[0] - base[0] > before[1] - base[1] ? 0 : 1
            #expect(after[busy] <= after[1 - busy], "\(before) then \(after)")
            for task in stuck { task.cancel() }
            for task in stuck { _ = await task.value }
            await client.shutdown()
            try await group.shutdownGracefully()
        }
    }

    @Test("an address that no longer answers is left out, and calls go on")
    func oneDies() async throws {
        try await withServers(2) { servers in
            let addresses = try servers.map { try $0.socketAddress }
            try await withClient(addresses: { addresses }) { client in
                for _ in 0..<20 { _ = try await client.echo("x") }
                await servers[0].stop()
                // Idempotent, as the client may not have heard yet and send one more call there.
                for _ in 0..<200 {
                    let status = await client.status(of: TestMethods.idempotentEcho)
                    #expect(status == .ok)
                }
            }
        }
    }

    @Test("a look-up finds new servers, and those that are gone finish what they have")
    func resolvedAgain() async throws {
        try await withServers(2) { servers in
            let addresses = try servers.map { try $0.socketAddress }
            let known = NIOLockedValueBox([addresses[0]])
            let lookUp: @Sendable () throws -> [SocketAddress] = { known.withLockedValue { $0 } }
            try await withClient(addresses: lookUp, { $0.resolveInterval = .milliseconds(100) }) { client in
                let pending = Task { await client.status(of: TestMethods.wait, Vessel_Vessel(capacity: 1_500)) }
                try await eventually("the call") { servers[0].log.began == 1 }
                known.withLockedValue { $0 = [addresses[1]] }
                try await eventually("a call at the new server") {
                    _ = try await client.echo("x")
                    return servers[1].log.began > 0
                }
                try await eventually("no more calls at the old one") {
                    let before = servers[0].log.began
                    for _ in 0..<20 { _ = try await client.echo("x") }
                    return servers[0].log.began == before
                }
                #expect(await pending.value == .ok)
                try await eventually("the old connection's end") { servers[0].server.connectionCount == 0 }
            }
        }
    }

    @Test("the last call of an address that is gone may end by its deadline or by being cancelled")
    func removedWithACall() async throws {
        for isCancelled in [true, false] {
            try await withServers(2) { servers in
                let addresses = try servers.map { try $0.socketAddress }
                let known = NIOLockedValueBox([addresses[0]])
                let lookUp: @Sendable () throws -> [SocketAddress] = { known.withLockedValue { $0 } }
                try await withClient(addresses: lookUp, { $0.resolveInterval = .milliseconds(50) }) { client in
                    let pending = Task {
                        await client.status(
                            of: TestMethods.wait, Vessel_Vessel(capacity: 60_000),
                            within: isCancelled ? .seconds(60) : .seconds(3))
                    }
                    try await eventually("the call") { servers[0].log.began == 1 }
                    known.withLockedValue { $0 = [addresses[1]] }
                    try await eventually("a call at the new server") {
                        _ = try await client.echo("x")
                        return servers[1].log.began > 0
                    }
                    if isCancelled { pending.cancel() }
                    #expect(await pending.value.code == (isCancelled ? .cancelled : .deadlineExceeded))
                    try await eventually("the old connection's end") { servers[0].server.connectionCount == 0 }
                    // The handler hears of it on a turn of its own.
                    try await eventually("the handler to be cancelled") { servers[0].log.cancelled == 1 }
                }
            }
        }
    }
}
