import Contracts
import NIOCore
import NIOPosix
import NIOSSL
import TestSupport
import Testing

@testable import RPC

@Suite("TLS", .turns)
struct TLSTests {
    private func status(
        _ port: Int, host: String = "127.0.0.1", _ context: NIOSSLContext?
    ) async -> Status {
        var configuration = RPCClient.Configuration(target: HostPort(host: host, port: port), tls: context)
        configuration.connectWait = .seconds(4)
        let client = RPCClient(configuration: configuration, group: .singleton, logger: quiet)
        let status = await client.status(of: TestMethods.echo, Vessel_Vessel(name: "x"), within: .seconds(10))
        await client.shutdown()
        return status
    }

    @Test("our client and grpcio call our server by name and by address")
    func good() async throws {
        let certificates = try await Certificates()
        let context = try certificates.serverContext()
        try await withServer({ $0.tls = context }) { server in
            let client = try certificates.clientContext()
            #expect(await status(server.port, client) == .ok)
            #expect(await status(server.port, host: "localhost", client) == .ok)
            let said = try await Python.call(
                server.port, "echo", host: "localhost", certificateAuthority: certificates.authority)
            #expect(said.first?.name == "hello")
        }
    }

    @Test("large messages pass both ways")
    func large() async throws {
        let certificates = try await Certificates()
        let context = try certificates.serverContext()
        let clientContext = try certificates.clientContext()
        try await withServer({ $0.tls = context }) { server in
            try await withClient(server.port, { $0.tls = clientContext }) { client in
                let text = letters(4_000_000)
                let answer = try await client.echo(text)
                #expect(answer.name == text)
            }
        }
    }

    @Test("a certificate of another authority is refused, and so is plaintext on either side")
    func refused() async throws {
        let certificates = try await Certificates()
        let others = try await Certificates().clientContext()
        let client = try certificates.clientContext()
        let context = try certificates.serverContext()
        try await withServer({ $0.tls = context }) { server in
            #expect(await status(server.port, others).code == .unavailable)
            #expect(await status(server.port, nil).code == .unavailable)
            #expect(await status(server.port, client) == .ok)
            try await eventually("the end of every connection") { server.server.connectionCount == 0 }
        }
        try await withServer { server in
            #expect(await status(server.port, client).code == .unavailable)
            try await server.servesAGoodClient()
        }
    }

    @Test("peers that do not agree on h2 are refused")
    func applicationProtocol() async throws {
        let certificates = try await Certificates()
        for protocols in [["http/1.1"], []] {
            let clientContext = try certificates.clientContext()
            let other = try certificates.serverContext(protocols: protocols)
            try await withServer({ $0.tls = other }) { server in
                #expect(await status(server.port, clientContext).code == .unavailable)
            }
            let context = try certificates.serverContext()
            let otherClient = try certificates.clientContext(protocols: protocols)
            try await withServer({ $0.tls = context }) { server in
                #expect(await status(server.port, otherClient).code == .unavailable)
            }
        }
    }

    @Test("a peer that does not finish the TLS handshake is disconnected")
    func handshake() async throws {
        let certificates = try await Certificates()
        let context = try certificates.serverContext()
        try await withServer({
            $0.tls = context
            $0.keepaliveTimeout = .milliseconds(300)
        }) { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send([0x16, 0x03, 0x01, 0x01, 0x00, 0x01])
                #expect(peer.waitForEnd(patience: 5))
            }
        }
    }
}
