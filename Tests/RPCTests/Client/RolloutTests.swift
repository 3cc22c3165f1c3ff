import Contracts
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import RPC

/// Servers are replaced while DNS answers are cached, as in a cluster; times are a tenth of those in `deployments/base`.
@Suite("A rollout behind cached DNS answers", .turns)
struct RolloutTests {
    /// DNS caches keep an answer for 30 s.
    private static let cacheLifetime: Duration = .seconds(3)
    /// `preStop` of 45 s: longer than the cache and a caller's interval together.
    private static let pause: Duration = .milliseconds(4_500)

    /// The name's addresses as they are, and as one caller's cache has them.
    private final class CachedName: Sendable {
        private let addresses: NIOLockedValueBox<[SocketAddress]>
        private let kept: NIOLockedValueBox<(answer: [SocketAddress], until: NIODeadline)>

        /// - Parameter firstLifetime: of the answer that the cache has now; later ones live for ``cacheLifetime``.
        init(_ addresses: NIOLockedValueBox<[SocketAddress]>, firstLifetime: Duration) {
            self.addresses = addresses
            let answer = addresses.withLockedValue { $0 }
            kept = NIOLockedValueBox((answer: answer, until: NIODeadline.now() + TimeAmount(firstLifetime)))
        }

        @Sendable func lookUp() -> [SocketAddress] {
            kept.withLockedValue { kept in
                let now = NIODeadline.now()
                if now >= kept.until {
                    kept.answer = addresses.withLockedValue { $0 }
                    kept.until = now + TimeAmount(RolloutTests.cacheLifetime)
                }
                return kept.answer
            }
        }
    }

    /// Callers with caches of different ages.
    private func withCallers(
        of addresses: NIOLockedValueBox<[SocketAddress]>, connectWait: Duration = .seconds(2),
        _ body: ([CallLoad]) async throws -> Void
    ) async throws -> [Status] {
        var configuration = RPCClient.Configuration(target: HostPort(host: "service.test", port: 1))
        configuration.resolveInterval = .milliseconds(500)
        configuration.connectWait = connectWait
        let clients = (1...3).map { share in
            let name = CachedName(addresses, firstLifetime: Self.cacheLifetime / 3 * share)
            return RPCClient(configuration: configuration, group: .singleton, logger: quiet) { _ in name.lookUp() }
        }
        let loads = clients.map { CallLoad($0, callers: 4, pause: .milliseconds(5)) }
        let result: Result<Void, any Error> = await Result {
            for load in loads {
                try await eventually("calls of each caller") { load.answered.value > 20 }
            }
            try await body(loads)
        }
        var failures: [Status] = []
        for load in loads { failures += await load.stop() }
        for client in clients { await client.shutdown() }
        try result.get()
        return failures
    }

    /// Replaces one server after the other: the new one answers before the old one is off the name, and that one goes on
    /// for `pause`. Returns when all old ones have ended.
    private func replace(
        _ servers: [TestServer], _ addresses: NIOLockedValueBox<[SocketAddress]>, pause: Duration
    ) async throws -> [TestServer] {
        try await withThrowingTaskGroup(of: Void.self) { ends in
            var replacements: [TestServer] = []
            for old in servers {
                let new = try await TestServer.start()
                let (gone, added) = (try old.socketAddress, try new.socketAddress)
                addresses.withLockedValue { list in
                    list.append(added)
                    list.removeAll { $0 == gone }
                }
                replacements.append(new)
                ends.addTask {
                    try await Task.sleep(for: pause)
                    await old.server.drain(timeout: .seconds(2))
                }
            }
            try await ends.waitForAll()
            return replacements
        }
    }

    private func start(_ count: Int) async throws -> ([TestServer], NIOLockedValueBox<[SocketAddress]>) {
        var servers: [TestServer] = []
        for _ in 0..<count { servers.append(try await TestServer.start()) }
        let addresses = try servers.map { try $0.socketAddress }
        return (servers, NIOLockedValueBox(addresses))
    }

    @Test("an old server that goes on for longer than the cache loses no call", arguments: [1, 2])
    func rollout(replicas: Int) async throws {
        let (servers, addresses) = try await start(replicas)
        var replacements: [TestServer] = []
        let failures = try await withCallers(of: addresses) { loads in
            replacements = try await replace(servers, addresses, pause: Self.pause)
            for load in loads {
                let before = load.answered.value
                try await eventually("calls at the new servers") { load.answered.value > before + 50 }
            }
        }
        #expect(failures.isEmpty, "\(failures.count): \(failures.prefix(3))")
        for server in replacements {
            #expect(server.log.began > 0)
            await server.stop()
        }
    }

    @Test("an old server that goes before the cache knows loses calls, and callers find the new one when it does")
    func tooSoon() async throws {
        let (servers, addresses) = try await start(1)
        var replacements: [TestServer] = []
        let failures = try await withCallers(of: addresses, connectWait: .milliseconds(200)) { loads in
            replacements = try await replace(servers, addresses, pause: .milliseconds(100))
            for load in loads {
                let before = load.answered.value
                try await eventually("calls at the new server") { load.answered.value > before + 50 }
            }
        }
        #expect(!failures.isEmpty)
        #expect(failures.allSatisfy { $0.code == .unavailable }, "\(failures.prefix(3))")
        for server in replacements { await server.stop() }
    }

    @Test("an address that the name has lost takes calls until one that it has is connected")
    func lostAddress() async throws {
        let old = try await TestServer.start()
        let new = try await TestServer.start()
        let nobody = try SocketAddress(ipAddress: "127.0.0.1", port: Ports.free())
        let known = NIOLockedValueBox([try old.socketAddress])
        let lookUps = Counter()
        let lookUp: @Sendable () throws -> [SocketAddress] = {
            lookUps.increment()
            return known.withLockedValue { $0 }
        }
        try await withClient(addresses: lookUp, { $0.resolveInterval = .milliseconds(100) }) { client in
            let load = CallLoad(client)
            let result: Result<Void, any Error> = await Result {
                try await eventually("calls") { load.answered.value > 50 }
                known.withLockedValue { $0 = [nobody] }
                let seen = lookUps.value
                try await eventually("the loss to be known") { lookUps.value > seen + 2 }
                let before = old.log.began
                try await eventually("calls at the old address") { old.log.began > before + 100 }
                let address = try new.socketAddress
                known.withLockedValue { $0 = [address] }
                try await eventually("calls at the new address") { new.log.began > 100 }
                try await eventually("the old connections' end") { old.server.connectionCount == 0 }
            }
            let failures = await load.stop()
            try result.get()
            #expect(failures.isEmpty, "\(failures.count): \(failures.prefix(3))")
        }
        await old.stop()
        await new.stop()
    }

    @Test("an address that the name loses and has again keeps its connection")
    func lostAndFound() async throws {
        let server = try await TestServer.start()
        let nobody = try SocketAddress(ipAddress: "127.0.0.1", port: Ports.free())
        let address = try server.socketAddress
        let lookUps = Counter()
        // Two caches that answer by turns, one of them stale.
        let lookUp: @Sendable () throws -> [SocketAddress] = {
            lookUps.increment() % 2 == 1 ? [address] : [nobody]
        }
        try await withClient(addresses: lookUp, { $0.resolveInterval = .milliseconds(100) }) { client in
            let peers = NIOLockedValueBox(Set<String>())
            while lookUps.value < 6 {
                let answer = try await client.call(
                    TestMethods.context, Vessel_Vessel(), deadline: .after(.seconds(20)))
                peers.withLockedValue { _ = $0.insert(answer.ownerID) }
                try await Task.sleep(for: .milliseconds(5))
            }
            // One on each loop, from first to last.
            #expect(peers.withLockedValue { $0.count } <= client.loops.count)
        }
        await server.stop()
    }
}
