import Foundation
import HTTP
import NIOCore
import NIOPosix
import NIOSSL
import TestSupport
import Testing

@Suite("TLS")
struct TLSTests {
    @Test("requests work over TLS, also when the server ends the connection")
    func roundTrip() async throws {
        try await withTLSServer { _, address, context in
            let client = try await RawClient.connect(address, tls: context)
            for index in 1...3 {
                try await client.send("GET /\(index) HTTP/1.1\r\nhost: x\r\n\r\n")
                #expect(try await client.responses(index).hasSuffix("GET /\(index) - "))
            }
            try await client.send("GET /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            #expect(try await client.end().hasSuffix("GET /last - "))
        }
    }

    @Test("a rejection can be read over TLS while the peer goes on sending")
    func rejection() async throws {
        try await withTLSServer { _, address, context in
            let client = try await RawClient.connect(address, tls: context)
            client.push("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5000000\r\n\r\n")
            client.push(String(repeating: "a", count: 5_000_000))
            try await eventually("413") { client.received.contains("rejected: bodyTooLarge") }
        }
    }

    @Test("plaintext, noise and silence on a TLS port end, and the server goes on")
    func hostile() async throws {
        try await withTLSServer { server, address, context in
            for text in ["GET / HTTP/1.1\r\nhost: x\r\n\r\n", "\u{16}\u{3}\u{1}\u{0}\u{5}aaaaa", "\u{16}"] {
                let client = try await RawClient.connect(address)
                try await client.send(text)
                _ = try await client.end()
                await client.close()
            }
            try await eventually("the connections to be forgotten") { server.connectionCount == 0 }
            let client = try await RawClient.connect(address, tls: context)
            try await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await client.responses(1).hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("a newcomer replaces a connection that never begins its handshake")
    func silence() async throws {
        let count = 4 * System.coreCount
        let configure = { (configuration: inout HTTPServer.Configuration) in
            configuration.connectionsMax = count
            configuration.newcomerGrace = .zero
            configuration.requestTimeout = .seconds(300)
        }
        try await withTLSServer(configure: configure) { server, address, context in
            var silent: [RawClient] = []
            for _ in 0..<count { silent.append(try await RawClient.connect(address)) }
            try await eventually("all") { server.connectionCount == count }
            for _ in 0..<3 {
                let newcomer = try await RawClient.connect(address, tls: context)
                try await newcomer.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                let answer = try await newcomer.responses(1)
                #expect(answer.hasPrefix("HTTP/1.1 200"))
            }
            try await eventually("some to go") { silent.contains { $0.hasEnded } }
        }
    }

    /// A server with a certificate of its own making, and a context that does not ask who signed it.
    private func withTLSServer(
        configure: (inout HTTPServer.Configuration) -> Void = { $0.requestTimeout = .milliseconds(500) },
        _ body: (HTTPServer, SocketAddress, NIOSSLContext) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("shippy-tls-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let key = folder.appendingPathComponent("key.pem").path
        let certificate = folder.appendingPathComponent("certificate.pem").path
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        openssl.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=localhost", "-days", "1", "-keyout", key, "-out", certificate,
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        try #require(openssl.terminationStatus == 0)

        var client = TLSConfiguration.makeClientConfiguration()
        client.certificateVerification = .none
        let clientContext = try NIOSSLContext(configuration: client)
        let serverContext = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
                privateKey: .privateKey(NIOSSLPrivateKey(file: key, format: .pem))))
        try await withServer(
            .echo(),
            configure: {
                $0.tls = serverContext
                configure(&$0)
            }
        ) { server, address in
            try await body(server, address, clientContext)
        }
    }
}
