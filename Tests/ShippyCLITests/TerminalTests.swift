import Foundation
import TestSupport
import Testing

@testable import ShippyCLI

/// The program on a terminal that Python plays.
@Suite("The program shippy on a terminal", .timeLimit(.minutes(10)))
struct TerminalTests {
    /// What the terminal showed, and how the program ended.
    private func session(
        _ client: CommandLineClient, _ steps: [[String]], _ arguments: [String]
    ) async throws -> (status: Int32, shown: String) {
        let script = (#filePath as NSString).deletingLastPathComponent + "/Scripts/terminal.py"
        let json = String(decoding: try JSONEncoder().encode(steps), as: UTF8.self)
        let run = try ProcessRun(
            Tool.python, [script, json, ProcessRun.product("shippy")] + arguments, environment: client.environment)
        let status = try await run.status(within: .seconds(60))
        return (status, run.output + run.errors)
    }

    private let login = ["user", "login", "--email", "ada@example.com"]
    private let echoes = "the terminal shows what is typed"

    @Test("a password is asked for and not shown; Backspace and Ctrl-U do what they do elsewhere")
    func password() async throws {
        try await ScriptedGateway.with([.answer(200, #"{"token": "a.b.c"}"#)]) { gateway in
            let client = try CommandLineClient(gateway: gateway.url)
            let (status, shown) = try await session(
                client, [["Password: ", "wrong\u{15}correct hoä\u{7f}rsx\u{8}e\r"]], login)
            #expect(status == 0 && shown.contains("logged in") && shown.contains(echoes), "\(shown)")
            #expect(!shown.contains("horse") && !shown.contains("wrong"))
            let expected = Data("ada@example.com:correct horse".utf8).base64EncodedString()
            #expect(gateway.requests.first?.headers["authorization"] == ["Basic \(expected)"])
        }
    }

    @Test("a new password is asked for twice, and both must be the same")
    func twice() async throws {
        let answer = #"{"token": {"token": "a.b.c"}}"#
        try await ScriptedGateway.with([.answer(200, answer)]) { gateway in
            let client = try CommandLineClient(gateway: gateway.url)
            let create = ["user", "create", "--name", "Ada", "--email", "ada@example.com"]
            let differing = try await session(
                client, [["Password: ", "correct horse\r"], ["Once more: ", "correct house\r"]], create)
            #expect(differing.status == 65 && differing.shown.contains("differ"), "\(differing.shown)")
            #expect(gateway.requests.isEmpty)
            let same = try await session(
                client, [["Password: ", "correct horse\r"], ["Once more: ", "correct horse\r"]], create)
            #expect(same.status == 0 && same.shown.contains("signed up"), "\(same.shown)")
        }
    }

    @Test("Ctrl-C at the password ends the program as it does elsewhere, and the terminal is as before")
    func interrupt() async throws {
        let client = try CommandLineClient(gateway: "http://127.0.0.1:1")
        let (status, shown) = try await session(client, [["Password: ", "corr\u{3}"]], login)
        #expect(status == 130 && shown.contains(echoes), "\(shown)")
        let closed = try await session(client, [["Password: ", "\u{4}"]], login)
        #expect(closed.status == 64 && closed.shown.contains(echoes), "\(closed.shown)")
    }

    @Test(
        "a booking is cancelled after a yes, and only then; with --yes nothing is asked",
        arguments: [("y\r", 0), ("YES\r", 0), ("n\r", 1), ("\r", 1), ("yesterday\r", 1)])
    func confirmation(typed: String, status: Int32) async throws {
        let answer = #"{"consignment": {"id": "c1", "status": "CANCELLED"}}"#
        try await ScriptedGateway.with([.answer(200, answer), .answer(200, answer)]) { gateway in
            var client = try CommandLineClient(gateway: gateway.url)
            client.environment["SHIPPY_TOKEN"] = "a.b.c"
            let asked = try await session(
                client, [["Cancel consignment c1? [y/N] ", typed]], ["consignment", "cancel", "c1"])
            #expect(asked.status == status, "\(asked.shown)")
            #expect(gateway.requests.count == (status == 0 ? 1 : 0))
            #expect(asked.shown.contains(status == 0 ? "c1  CANCELLED" : "not cancelled"), "\(asked.shown)")
            let unasked = try await session(client, [], ["consignment", "cancel", "c1", "--yes"])
            #expect(unasked.status == 0 && !unasked.shown.contains("[y/N]"))
        }
    }

    @Test("a line that is typed is bounded")
    func bounded() {
        var line = SecretLine()
        for _ in 0..<10_000 { _ = line.type(UInt8(ascii: "x")) }
        #expect(line.bytes.count == Terminal.secretBytesMax + 1)
        for byte in "\u{1b}[A".utf8 { _ = line.type(byte) }
        var keys = SecretLine()
        #expect(keys.type(0x08) == .more && keys.bytes.isEmpty)
        #expect(keys.type(0x04) == .closed)
        _ = keys.type(UInt8(ascii: "a"))
        #expect(keys.type(0x04) == .done && keys.type(0x03) == .interrupted && keys.type(0x0a) == .done)
    }
}
