import Foundation
import TestSupport
import Testing

@testable import ShippyCLI

@Suite("The file of tokens")
struct TokenFileTests {
    private let folder: TemporaryFolder
    private let file: TokenFile
    private let local: GatewayURL
    private let remote: GatewayURL

    init() throws {
        folder = try TemporaryFolder()
        file = TokenFile(path: folder.file("config/shippy/token"))
        local = .standard
        remote = try #require(GatewayURL("https://shippy.example.com"))
    }

    private func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    private var content: String {
        get throws { try String(contentsOfFile: file.path, encoding: .utf8) }
    }

    @Test("it is where the XDG specification wants it; a relative path counts as unset")
    func place() {
        #expect(TokenFile.standardPath(configHome: "/c", home: "/h") == "/c/shippy/token")
        #expect(TokenFile.standardPath(configHome: nil, home: "/h") == "/h/.config/shippy/token")
        #expect(TokenFile.standardPath(configHome: "c", home: "/h") == "/h/.config/shippy/token")
        #expect(TokenFile.standardPath(configHome: nil, home: "h") == nil)
        #expect(TokenFile.standardPath(configHome: nil, home: nil) == nil)
    }

    @Test("a token is there again, for its gateway alone; only the user can read file and folder")
    func keeps() throws {
        #expect(try file.token(for: local) == nil)
        try file.keep("a.b.c", for: local)
        #expect(try file.token(for: local) == "a.b.c")
        #expect(try file.token(for: remote) == nil)
        #expect(try mode(file.path) == 0o600)
        #expect(try mode(folder.file("config/shippy")) == 0o700)
        // Nothing of how it was written stays behind.
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.file("config/shippy")) == ["token"])
    }

    @Test("each gateway has one token, the latest")
    func replaces() throws {
        try file.keep("first", for: local)
        try file.keep("other", for: remote)
        try file.keep("second", for: local)
        #expect(try file.token(for: local) == "second")
        #expect(try file.token(for: remote) == "other")
        #expect(try content == "http://localhost:8080 second\nhttps://shippy.example.com:443 other\n")
    }

    @Test("a forgotten token is gone; the file goes with the last one; to forget none changes nothing")
    func forgets() throws {
        try file.forget(local)
        #expect(!FileManager.default.fileExists(atPath: folder.file("config")))
        try file.keep("a", for: local)
        try file.keep("b", for: remote)
        try file.forget(local)
        #expect(try file.token(for: local) == nil)
        #expect(try file.token(for: remote) == "b")
        try file.forget(remote)
        #expect(!FileManager.default.fileExists(atPath: file.path))
    }

    @Test("a file that others may read is not used, and not written to", arguments: [0o640, 0o604, 0o660, 0o601])
    func readable(mode: Int) throws {
        try file.keep("a.b.c", for: local)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
        let attempts: [() throws -> Void] = [
            { _ = try file.token(for: local) }, { try file.keep("d.e.f", for: local) }, { try file.forget(local) },
        ]
        for attempt in attempts {
            let failure = #expect(throws: Failure.self) { try attempt() }
            #expect(failure?.status == .notAllowed)
            #expect(failure?.text.contains("others may read it") == true && failure?.text.contains("a.b.c") == false)
        }
        #expect(try content == "http://localhost:8080 a.b.c\n")
    }

    @Test("a folder that others may enter is closed to them when a token is kept")
    func openFolder() throws {
        let path = folder.file("config/shippy")
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        try file.keep("a", for: local)
        #expect(try mode(path) == 0o700)
    }

    @Test("what is no file of ours is not used: a folder, a pipe, something large")
    func strange() throws {
        let manager = FileManager.default
        try manager.createDirectory(atPath: file.path, withIntermediateDirectories: true)
        #expect(throws: Failure.self) { try file.token(for: local) }
        try manager.removeItem(atPath: file.path)
        #expect(mkfifo(file.path, 0o600) == 0)
        #expect(throws: Failure.self) { try file.token(for: local) }
        try manager.removeItem(atPath: file.path)
        #expect(
            manager.createFile(
                atPath: file.path, contents: Data(repeating: 0x61, count: TokenFile.bytesMax + 1),
                attributes: [.posixPermissions: 0o600]))
        #expect(throws: Failure.self) { try file.token(for: local) }
    }

    @Test("lines that hold no token are skipped")
    func malformed() throws {
        try file.keep("x", for: remote)
        let lines = """
            nonsense
            ftp://a b
            http://localhost:8080

            http://localhost:8080 a b
            http://LOCALHOST:8080/ good
            """
        try lines.write(toFile: file.path, atomically: false, encoding: .utf8)
        #expect(try file.token(for: local) == "good")
    }

    @Test("old tokens make room for new ones")
    func bounded() throws {
        let token = String(repeating: "t", count: 8_000)
        for port in 1...12 { try file.keep(token, for: try #require(GatewayURL("http://localhost:\(port)"))) }
        #expect(try content.utf8.count <= TokenFile.bytesMax)
        #expect(try file.token(for: try #require(GatewayURL("http://localhost:12"))) == token)
        #expect(try file.token(for: try #require(GatewayURL("http://localhost:1"))) == nil)
    }

    @Test("of many that log in at the same time to different gateways none loses its token")
    func concurrent() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for port in 1...20 {
                group.addTask { [file] in
                    try file.keep("token\(port)", for: try #require(GatewayURL("http://localhost:\(port)")))
                }
            }
            try await group.waitForAll()
        }
        for port in 1...20 {
            #expect(try file.token(for: try #require(GatewayURL("http://localhost:\(port)"))) == "token\(port)")
        }
    }

    @Test("a folder that can't be made is said with its path")
    func noFolder() throws {
        let failure = #expect(throws: Failure.self) {
            try TokenFile(path: "/proc/none/shippy/token").keep("a", for: local)
        }
        #expect(failure?.status == .inputOutput && failure?.text.contains("/proc/none/shippy/token") == true)
    }

    @Test("only what a header can carry is a token")
    func tokens() {
        #expect(TokenFile.isToken("eyJ.a-b_c.d"))
        for text in ["", "a b", "a\nb", "ä", "a\u{7f}", String(repeating: "a", count: 8_193)] {
            #expect(!TokenFile.isToken(text))
        }
    }
}
