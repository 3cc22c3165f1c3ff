import Contracts
import Logging
import NIOCore
import NIOPosix
import TestSupport
@testable import RPC

/// Logs of servers and clients under test are not looked at, and hostile peers make many.
let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A server on a port of its own, with the handlers of ``TestMethods``.
struct TestServer: Sendable {
    let server: RPCServer
    let port: Int
    let log: HandlerLog

    /// One more server; the scope below is the usual way.
    static func start(
        host: String = "127.0.0.1", port: Int = 0, log: HandlerLog = HandlerLog(),
        _ adjust: (inout RPCServer.Configuration) -> Void = { _ in }
    ) async throws -> TestServer {
        var configuration = RPCServer.Configuration(address: HostPort(host: host, port: port))
        adjust(&configuration)
        let server = RPCServer(
            routes: log.routes, configuration: configuration, group: .singleton, logger: quiet)
        let address = try await server.start()
        return TestServer(server: server, port: address.port ?? 0, log: log)
    }

    func stop() async {
        await server.drain(timeout: .zero)
    }

    var socketAddress: SocketAddress {
        get throws { try SocketAddress(ipAddress: "127.0.0.1", port: port) }
    }

    /// Proves that the server still serves: a fresh client calls it.
    func servesAGoodClient() async throws {
        try await withClient(port) { client in
            let answer = try await client.echo("still there")
            guard answer.name == "still there" else { throw Status(.dataLoss, "another answer: \(answer.name)") }
        }
    }
}

/// Runs `body` against a server that is gone afterwards.
func withServer<R>(
    _ adjust: (inout RPCServer.Configuration) -> Void = { _ in }, _ body: (TestServer) async throws -> R
) async throws -> R {
    let server = try await TestServer.start(adjust)
    do {
        let result = try await body(server)
        await server.stop()
        return result
    } catch {
        await server.stop()
        throw error
    }
}

/// How long calls wait for a connection where a test does not say: suites share the event loops, and hostile peers keep
/// them busy for seconds in a debug build.
private let patience = Duration.seconds(8)

/// Runs `body` with a client of 127.0.0.1 that is shut down afterwards.
func withClient<R>(
    _ port: Int, _ adjust: (inout RPCClient.Configuration) -> Void = { _ in },
    _ body: (RPCClient) async throws -> R
) async throws -> R {
    var configuration = RPCClient.Configuration(target: HostPort(host: "127.0.0.1", port: port))
    configuration.connectWait = patience
    adjust(&configuration)
    let client = RPCClient(configuration: configuration, group: .singleton, logger: quiet)
    return try await closing(client, body)
}

/// The same for a name whose addresses the test decides.
func withClient<R>(
    addresses: @escaping @Sendable () throws -> [SocketAddress],
    _ adjust: (inout RPCClient.Configuration) -> Void = { _ in },
    _ body: (RPCClient) async throws -> R
) async throws -> R {
    var configuration = RPCClient.Configuration(target: HostPort(host: "service.test", port: 1))
    configuration.connectWait = patience
    adjust(&configuration)
    let client = RPCClient(configuration: configuration, group: .singleton, logger: quiet) { _ in try addresses() }
    return try await closing(client, body)
}

/// Runs `body` with a client of 127.0.0.1 on event loops of its own.
func withLoops<R>(
    _ count: Int, _ port: Int, _ adjust: (inout RPCClient.Configuration) -> Void = { _ in },
    _ body: (RPCClient) async throws -> R
) async throws -> R {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: count)
    var configuration = RPCClient.Configuration(target: HostPort(host: "127.0.0.1", port: port))
    // The machine may be busy.
    configuration.connectWait = .seconds(10)
    adjust(&configuration)
    let client = RPCClient(configuration: configuration, group: group, logger: quiet)
    let result = await Result { try await closing(client, body) }
    try await group.shutdownGracefully()
    return try result.get()
}

private func closing<R>(_ client: RPCClient, _ body: (RPCClient) async throws -> R) async throws -> R {
    do {
        let result = try await body(client)
        await client.shutdown()
        return result
    } catch {
        await client.shutdown()
        throw error
    }
}

extension RPCClient {
    func echo(_ name: String, within timeout: Duration = .seconds(20)) async throws -> Vessel_Vessel {
        try await call(TestMethods.echo, Vessel_Vessel(name: name), deadline: .after(timeout))
    }

    /// The status that a call fails with; OK if it does not.
    func status(
        of method: TestMethods.Echo, _ request: Vessel_Vessel = Vessel_Vessel(), metadata: Metadata = [:],
        within timeout: Duration = .seconds(20)
    ) async -> Status {
        do {
            _ = try await call(method, request, metadata: metadata, deadline: .after(timeout))
            return .ok
        } catch {
            return Status(error)
        }
    }
}
