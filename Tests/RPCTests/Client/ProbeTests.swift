import Contracts
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import RPC

/// Asking how a service is while its calls take long.
@Suite("A probe", .turns)
struct ProbeTests {
    /// Calls that do not end while a test runs.
    private static let long = Vessel_Vessel(capacity: 600_000)

    /// A client of one event loop, so that all of its calls share one connection.
    private func withOneLoop<R>(
        _ lookUp: @escaping RPC.Resolver.LookUp, _ body: (RPCClient) async throws -> R
    ) async throws -> R {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var configuration = RPCClient.Configuration(target: HostPort(host: "service.test", port: 1))
        // On a busy machine 300 calls take a while to begin.
        configuration.connectWait = .seconds(30)
        let client = RPCClient(configuration: configuration, group: group, logger: quiet, lookUp: lookUp)
        let result = await Result { try await body(client) }
        await client.shutdown()
        try await group.shutdownGracefully()
        return try result.get()
    }

    @Test("finds room on a connection that has all the calls it may have, and is answered at once")
    func room() async throws {
        try await withServer { server in
            let address = try server.socketAddress
            try await withOneLoop({ _ in [address] }) { client in
                let stuck = (0..<300).map { _ in Task { await client.status(of: TestMethods.wait, Self.long) } }
                try await eventually("as many calls as there is room for") { server.log.began == 256 - 8 }
                #expect(await client.status(of: TestMethods.probe) == .ok)
                // Others wait as before: the room is not theirs.
                let late = await client.status(of: TestMethods.echo, within: .milliseconds(200))
                #expect(late.code == .deadlineExceeded)
                #expect(server.log.began == 256 - 8 + 1)
                for call in stuck { call.cancel() }
                for call in stuck { #expect(await call.value.code == .cancelled) }
            }
        }
    }

    @Test("that waits for a connection overtakes the calls that wait")
    func overtakes() async throws {
        try await withServer { server in
            let address = try server.socketAddress
            let isKnown = NIOLockedValueBox(false)
            let lookUp: RPC.Resolver.LookUp = { _ in
                // On the resolver's own thread, which may block.
                let deadline = NIODeadline.now() + .seconds(30)
                while !isKnown.withLockedValue({ $0 }) {
                    guard NIODeadline.now() < deadline else { throw SocketFailure("nobody made the name known") }
                    usleep(1_000)
                }
                return [address]
            }
            try await withOneLoop(lookUp) { client in
                let began = Counter()
                let stuck = (0..<300).map { _ in
                    Task {
                        began.increment()
                        return await client.status(of: TestMethods.wait, Self.long)
                    }
                }
                try await eventually("calls that wait") { began.value == 300 }
                let probe = Task { await client.status(of: TestMethods.probe) }
                isKnown.withLockedValue { $0 = true }
                #expect(await probe.value == .ok)
                for call in stuck { call.cancel() }
                for call in stuck { #expect(await call.value.code == .cancelled) }
            }
        }
    }

    @Test("gets through to a server that allows one call at a time")
    func oneStream() async throws {
        let server = try FakeServer { _, peer in
            var reader = FrameReader()
            var stream = try peer.acceptRequest(&reader, settings: .settings([(id: 3, value: 1)]))
            while true {
                peer.send(Frame.emptyAnswer(stream))
                stream = try peer.nextRequest(&reader)
            }
        }
        try await withClient(server.port) { client in
            for method in [TestMethods.echo, TestMethods.probe, TestMethods.echo] {
                #expect(await client.status(of: method) == .ok)
            }
        }
        server.stop()
    }
}
