import Foundation
import NIOSSL
import TestSupport

/// A certificate authority of the test's own, and a server's certificate for localhost and 127.0.0.1.
final class Certificates: Sendable {
    private let folder: String

    init() async throws {
        folder = NSTemporaryDirectory() + "shippy-certificates-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        try await Tool.run(
            "openssl",
            ["req", "-x509"] + key + [
                "-days", "2", "-subj", "/CN=Test CA", "-keyout", "\(folder)/ca.key", "-out", authority,
            ])
        try await Tool.run(
            "openssl",
            ["req", "-x509"] + key + [
                "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext",
                "basicConstraints=critical,CA:FALSE", "-CA", authority, "-CAkey", "\(folder)/ca.key", "-keyout",
                "\(folder)/server.key", "-out", "\(folder)/server.pem",
            ])
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// The file with the authority's certificate.
    var authority: String { "\(folder)/ca.pem" }

    func serverContext(protocols: [String] = ["h2"]) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile("\(folder)/server.pem").map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: "\(folder)/server.key", format: .pem)))
        configuration.applicationProtocols = protocols
        return try NIOSSLContext(configuration: configuration)
    }

    func clientContext(protocols: [String] = ["h2"]) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file(authority)
        configuration.applicationProtocols = protocols
        return try NIOSSLContext(configuration: configuration)
    }
}
