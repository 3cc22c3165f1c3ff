import Foundation
import TestSupport
import Testing

@testable import Runtime

@Suite("TLS files")
struct TLSFilesTests {
    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "shippy-tls-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    private func makeCertificate(_ folder: String, _ name: String) async throws {
        try await Tool.run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                "-subj", "/CN=localhost", "-keyout", "\(folder)/\(name).key", "-out", "\(folder)/\(name).crt",
            ])
    }

    private func complaint(_ files: TLSFiles) -> String {
        do {
            _ = try files.serverContext()
            _ = try files.clientContext()
            return "none"
        } catch {
            return error.description
        }
    }

    @Test("files that fit make contexts, and no files make none")
    func good() async throws {
        try await withFolder { folder in
            try await makeCertificate(folder, "a")
            var files = TLSFiles()
            (files.certificate, files.key) = (folder + "/a.crt", folder + "/a.key")
            files.authorities = folder + "/a.crt"
            #expect(try files.serverContext() != nil)
            #expect(try files.clientContext() != nil)
            #expect(try TLSFiles().serverContext() == nil)
            #expect(try TLSFiles().clientContext() == nil)
        }
    }

    @Test("a file that is missing, no PEM, or does not fit is named with its flag, in one line")
    func bad() async throws {
        try await withFolder { folder in
            try await makeCertificate(folder, "a")
            try await makeCertificate(folder, "b")
            try "nonsense".write(toFile: folder + "/n", atomically: true, encoding: .utf8)
            var files = TLSFiles()
            (files.certificate, files.key) = (folder + "/missing", folder + "/a.key")
            #expect(complaint(files) == "--tls_cert: can't use '\(folder)/missing': no such file or directory")
            (files.certificate, files.key) = (folder + "/a.crt", folder + "/n")
            #expect(complaint(files) == "--tls_key: can't use '\(folder)/n': it holds no such PEM")
            (files.certificate, files.key) = (folder + "/n", folder + "/a.key")
            #expect(complaint(files).hasPrefix("--tls_cert"))
            (files.certificate, files.key) = (folder + "/a.crt", folder + "/b.key")
            #expect(complaint(files).contains("don't fit together"))
            files = TLSFiles()
            files.authorities = folder + "/n"
            #expect(complaint(files).hasPrefix("--tls_ca"))
        }
    }
}
