import Foundation
import Runtime
import TestSupport
import Testing

@testable import UserService

@Suite("Secrets of tokens", .timeLimit(.minutes(10)))
struct TokenSecretsTests {
    private func secrets(
        _ environment: [String: String], embeddedStore: String? = nil
    ) throws(ConfigurationError) -> TokenSecrets {
        let program = try UserService([], environment: environment)
        return try TokenSecrets(program.secret, previous: program.previousSecret, embeddedStore: embeddedStore)
    }

    @Test("JWT_SECRET and JWT_SECRET_PREVIOUS are taken as they are")
    func taken() throws {
        let both = try secrets([
            "JWT_SECRET": ServiceFixture.secret, "JWT_SECRET_PREVIOUS": ServiceFixture.secret + "x",
        ])
        #expect(both.current == ServiceFixture.secret && both.previous == ServiceFixture.secret + "x")
        #expect(try secrets(["JWT_SECRET": ServiceFixture.secret]).previous == nil)
    }

    @Test("without JWT_SECRET there is no start, except on the embedded store")
    func missing() {
        for environment in [[:], ["JWT_SECRET": ""]] {
            let error = #expect(throws: ConfigurationError.self) { try secrets(environment) }
            #expect(error?.description.hasPrefix("JWT_SECRET is not set") == true)
        }
    }

    @Test("secrets shorter than 32 bytes are refused, and not shown")
    func short() {
        let short = String(repeating: "s", count: 31)
        for (environment, name) in [
            (["JWT_SECRET": short], "JWT_SECRET has 31 bytes"),
            (["JWT_SECRET": ServiceFixture.secret, "JWT_SECRET_PREVIOUS": short], "JWT_SECRET_PREVIOUS has 31 bytes"),
        ] {
            let error = #expect(throws: ConfigurationError.self) {
                try secrets(environment, embeddedStore: "/nowhere/x")
            }
            #expect(error?.description.hasPrefix(name) == true)
            #expect(error?.description.contains("sss") == false)
        }
    }

    @Test("on the embedded store one is made beside the data, for its owner alone, and kept")
    func made() throws {
        let folder = try TemporaryFolder()
        let store = folder.file("deep/er/users.sqlite")
        let first = try secrets([:], embeddedStore: store).current
        #expect(first.utf8.count == 64)
        #expect(try secrets([:], embeddedStore: store).current == first)
        let attributes = try FileManager.default.attributesOfItem(atPath: store + ".jwt-secret")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.file("deep/er")) == ["users.sqlite.jwt-secret"])
        #expect(try secrets([:], embeddedStore: folder.file("other")).current != first)
        #expect(
            try secrets(["JWT_SECRET": ServiceFixture.secret], embeddedStore: store).current == ServiceFixture.secret)
    }

    @Test("many that start at once share one secret")
    func concurrent() async throws {
        let folder = try TemporaryFolder()
        let made = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<16 {
                group.addTask { try secrets([:], embeddedStore: folder.file("users.sqlite")).current }
            }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(made.count == 1)
    }

    @Test(
        "a file that others may read, that is cut or that is no file stops the start, and is not shown or overwritten")
    func badFiles() throws {
        let folder = try TemporaryFolder()
        let store = folder.file("users.sqlite")
        let path = store + ".jwt-secret"
        let cases: [(content: String, mode: Int, complaint: String)] = [
            (ServiceFixture.secret, 0o644, "others may read it"), ("too short", 0o600, "no secret"),
            ("", 0o600, "no secret"),
            (String(repeating: "x", count: 5_000), 0o600, "no secret"),
        ]
        for (content, mode, complaint) in cases {
            _ = FileManager.default.createFile(
                atPath: path, contents: Data(content.utf8), attributes: [.posixPermissions: mode])
            let error = #expect(throws: ConfigurationError.self) { try secrets([:], embeddedStore: store) }
            #expect(error?.description.contains(complaint) == true, "\(error?.description ?? "")")
            #expect(error?.description.contains(path) == true)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == content)
            try FileManager.default.removeItem(atPath: path)
        }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        #expect(throws: ConfigurationError.self) { try secrets([:], embeddedStore: store) }
        #expect(throws: ConfigurationError.self) { try secrets([:], embeddedStore: "/proc/none/users.sqlite") }
    }
}
