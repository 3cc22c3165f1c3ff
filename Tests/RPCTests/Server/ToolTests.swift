import Foundation
import TestSupport
import Testing

@testable import RPC

/// Our server against the programs that people try HTTP/2 servers with.
@Suite("h2load, nghttp and curl against our server", .turns)
struct ToolTests {
    /// A gRPC message without content, in a file, as the tools want it.
    private func withEmptyMessage<R>(_ body: (String) async throws -> R) async throws -> R {
        let path = NSTemporaryDirectory() + "shippy-message-" + UUID().uuidString
        try Data([0, 0, 0, 0, 0]).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await body(path)
    }

    @Test("20,000 calls on 4 connections all succeed")
    func load() async throws {
        try await withServer { server in
            try await withEmptyMessage { file in
                let output = try await Tool.run(
                    "h2load",
                    [
                        "-n", "20000", "-c", "4", "-m", "100", "-d", file, "-H", "content-type: application/grpc", "-H",
                        "te: trailers", "http://127.0.0.1:\(server.port)/test.Test/Echo",
                    ])
                #expect(output.contains("20000 succeeded, 0 failed, 0 errored, 0 timeout"), "\(output)")
                #expect(output.contains("status codes: 20000 2xx"), "\(output)")
            }
            #expect(server.log.began == 20_000)
        }
    }

    @Test("nghttp sees headers, the message and grpc-status in the trailers")
    func nghttp() async throws {
        try await withServer { server in
            try await withEmptyMessage { file in
                let output = try await Tool.run(
                    "nghttp",
                    [
                        "-v", "-n", "-d", file, "-H", "content-type: application/grpc", "-H", "te: trailers",
                        "http://127.0.0.1:\(server.port)/test.Test/Echo",
                    ])
                #expect(output.contains("SETTINGS_MAX_CONCURRENT_STREAMS(0x03):256"), "\(output)")
                #expect(output.contains("SETTINGS_MAX_HEADER_LIST_SIZE(0x06):16384"), "\(output)")
                #expect(output.contains("content-type: application/grpc"), "\(output)")
                #expect(output.contains("grpc-status: 0"), "\(output)")
            }
        }
    }

    /// The HTTP status that curl sees.
    private func curl(_ server: TestServer, _ arguments: [String]) async throws -> String {
        try await Tool.run(
            "curl",
            ["-s", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_code} %header{grpc-status}"] + arguments
                + ["http://127.0.0.1:\(server.port)/test.Test/Echo"])
    }

    @Test("another content type is 415, another method 405, whatever the path")
    func curl() async throws {
        try await withServer { server in
            for bad in [" application/json", " application/grpc+json", " application/grpcx", ""] {
                let seen = try await curl(server, ["-d", "{}", "-H", "content-type:\(bad)"])
                #expect(seen == "415 ", "\(bad)")
            }
            for arguments in [[], ["-X", "DELETE"]] {
                let seen = try await curl(server, arguments)
                #expect(seen == "405 ", "\(arguments)")
            }
            for good in ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"] {
                // `{}` is no length-prefixed message: gRPC's business, not HTTP's.
                let seen = try await curl(server, ["-d", "{}", "-H", "content-type: \(good)"])
                #expect(seen.hasPrefix("200 "), "\(good)")
            }
        }
    }

    @Test(
        "unsupported compression gets grpc-accept-encoding; a compressed message without encoding is INTERNAL"
    )
    func acceptEncoding() async throws {
        try await withServer { server in
            let path = NSTemporaryDirectory() + "shippy-message-" + UUID().uuidString
            try Data([1, 0, 0, 0, 1, 0]).write(to: URL(fileURLWithPath: path))
            defer { try? FileManager.default.removeItem(atPath: path) }
            let encodings = [("snappy", "12"), ("identity", "13"), ("", "13")]
            for (encoding, status) in encodings {
                let output = try await Tool.run(
                    "curl",
                    [
                        "-s", "-i", "--http2-prior-knowledge", "--data-binary", "@\(path)", "-H",
                        "content-type: application/grpc", "-H", "grpc-encoding: \(encoding)",
                        "http://127.0.0.1:\(server.port)/test.Test/Echo",
                    ])
                #expect(output.contains("grpc-status: \(status)\r"), "\(encoding): \(output)")
                #expect(output.contains("grpc-accept-encoding: identity") == (status == "12"), "\(encoding): \(output)")
            }
        }
    }

    @Test("a malformed grpc-timeout is INVALID_ARGUMENT, one of nothing DEADLINE_EXCEEDED")
    func timeouts() async throws {
        try await withServer { server in
            try await withEmptyMessage { file in
                for (value, status) in [("1x", "3"), ("123456789S", "3"), ("0n", "4"), ("99999999H", "0"), ("9S", "0")]
                {
                    let output = try await Tool.run(
                        "nghttp",
                        [
                            "-v", "-n", "-d", file, "-H", "content-type: application/grpc", "-H",
                            "grpc-timeout: \(value)", "http://127.0.0.1:\(server.port)/test.Test/Echo",
                        ])
                    #expect(output.contains("grpc-status: \(status)"), "\(value): \(output)")
                }
            }
        }
    }
}
