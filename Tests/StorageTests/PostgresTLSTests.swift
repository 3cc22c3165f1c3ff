import Foundation
import Logging
import RPC
import Storage
import TestSupport
import Testing

@testable import PostgresStorage

/// Against a server with a certificate of an authority of the tests' own.
@Suite(.timeLimit(.minutes(10))) struct PostgresTLSTests {
    private struct Setup: Sendable {
        let server: PostgresServer
        let authority: String
        let stranger: String
        let folder: TemporaryFolder
    }

    private static let setup = Task { () -> Setup in
        let folder = try TemporaryFolder(isStatic: true)
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        for name in ["ca", "stranger"] {
            try await Tool.run(
                "openssl",
                ["req", "-x509"] + key + [
                    "-subj", "/CN=\(name)", "-keyout", folder.file("\(name).key"), "-out", folder.file("\(name).pem"),
                ])
        }
        try await Tool.run(
            "openssl",
            ["req", "-x509"] + key + [
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext",
                "basicConstraints=critical,CA:FALSE", "-CA", folder.file("ca.pem"), "-CAkey", folder.file("ca.key"),
                "-keyout", folder.file("server.key"), "-out", folder.file("server.pem"),
            ])
        let server = try await PostgresServer(
            certificate: (folder.file("server.pem"), folder.file("server.key")))
        return Setup(
            server: server, authority: folder.file("ca.pem"), stranger: folder.file("stranger.pem"), folder: folder)
    }

    @Test(
        "connections are encrypted where that is asked for, and the server is who it says",
        arguments: ["require", "verify-full"])
    func encrypted(mode: String) async throws {
        let setup = try await Self.setup.value
        let root = mode == "require" ? "" : "&sslrootcert=\(setup.authority)"
        let uri = setup.server.uri(database: "postgres", options: "sslmode=\(mode)\(root)")
        try await withPostgres(uri) { store in
            let isEncrypted = try await store.run(deadline: .after(.seconds(10))) { connection in
                try connection.first(PostgresQuery("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")) {
                    row throws(StorageError) in try row.bool(0)
                }
            }
            #expect(isEncrypted == true)
        }
    }

    @Test("large values pass both ways, and a deadline holds, with TLS too")
    func large() async throws {
        let setup = try await Self.setup.value
        try await withPostgres(setup.server.uri(database: "postgres", options: "sslmode=require")) { store in
            // Around the sizes of TLS records and of libpq's buffers.
            for size in [1, 8_191, 16_383, 16_384, 16_385, 40_000, 1_000_000, 5_000_000] {
                let text = String(repeating: "x", count: size)
                let length = try await store.run(deadline: .after(.seconds(20))) { connection in
                    try connection.first(PostgresQuery("SELECT $1::text"), .text(text)) { $0.string(0).utf8.count }
                }
                #expect(length == size)
            }
            let clock = ContinuousClock()
            let took = await clock.measure {
                await #expect(throws: StorageError.self) {
                    try await store.run(deadline: .after(.milliseconds(300))) { try $0.run(Items.sleep) }
                }
            }
            #expect(took >= .milliseconds(290) && took < .seconds(5), "\(took)")
        }
    }

    @Test("a server with a certificate of another authority, or without any, is not spoken to, and the reason is told")
    func refused() async throws {
        let setup = try await Self.setup.value
        let plain = try await PostgresServer.shared.value
        let cases = [
            (
                setup.server.uri(database: "postgres", options: "sslmode=verify-full&sslrootcert=\(setup.stranger)"),
                "certificate"
            ),
            (plain.uri(database: "postgres", options: "sslmode=require"), "SSL"),
        ]
        for (uri, reason) in cases {
            let store = PostgresStore(
                try PostgresAddress(uri), name: "test", threads: 1, logger: Logger(label: "test"))
            try store.start()
            #expect(await eventually { store.lastError?.contains(reason) == true }, "\(store.lastError ?? "no error")")
            #expect(!store.isReady)
            await store.shutdown()
        }
    }
}
