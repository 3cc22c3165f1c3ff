import Foundation
import NIOHTTP1
import TestSupport
import Testing

@testable import ShippyCLI

/// The program against a gateway that answers as a test scripts it.
@Suite("The program shippy", .timeLimit(.minutes(10)))
struct ProgramTests {
    private static let booked = #"""
        {"created": true, "consignment": {"id": "c1", "weight": 5, "containers": [{}], "vessel_id": "v1", \#
        "status": "BOOKED", "created_at": "2026-01-31T09:05:00.5Z"}}
        """#
    private static let kane = #"{"vessel": {"id": "v1", "name": "Kane"}}"#

    private func consignment(_ client: CommandLineClient) throws -> String {
        let path = client.home.file("consignment.json")
        try #"{"weight": 5, "containers": [{}]}"#.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    @Test(
        "a wrong argument ends it with status 64 and a line that names it",
        arguments: [
            (["vessel", "sail"], "sail"), (["vessel", "create", "--name", "x"], "--capacity"),
            (["vessel", "find", "--containers", "many", "--weight", "1"], "many"),
            (["vessel", "find", "--containers", "1"], "--weight"),
            (["vessel", "find", "--containers", "3000000000", "--weight", "1"], "3000000000"),
            (["vessel", "update", "v1"], "--name"), (["vessel", "update", "", "--name", "x"], "id"),
            (["vessel", "update", "v1", "--available", "--unavailable"], "--available"),
            (["consignment", "show"], "id"), (["consignment", "show", ""], "id"),
            (["consignment", "cancel", ""], "id"),
            (["consignment", "create"], "file"), (["consignment", "create", "-", "--key", ""], "--key"),
            (["consignment", "create", "-", "--key", "a\nb"], "--key"), (["user", "login"], "--email"),
            (["user", "login", "--email", "a:b"], "--email"), (["user", "create", "--name", "x"], "--email"),
            (["user", "login", "--email", "a@b.c", "--password", "x"], "--password"),
            (["vessel", "list", "--url", "localhost:1"], "--url"),
            (["user", "login", "--email", "a@b.c"], "no terminal"),
        ])
    func usage(arguments: [String], word: String) async throws {
        // setsid, as whoever runs the tests may sit at a terminal.
        let client = try CommandLineClient(gateway: "http://127.0.0.1:1")
        let run = try ProcessRun(
            "setsid", ["--wait", ProcessRun.product("shippy")] + arguments, environment: client.environment)
        #expect(try await run.status() == 64)
        #expect(run.errors.contains(word), "\(run.errors)")
        #expect(run.output.isEmpty)
    }

    @Test("certificates that can't be read are no such file", arguments: [true, false])
    func certificates(isFlag: Bool) async throws {
        let client = try CommandLineClient(gateway: "https://127.0.0.1:1")
        let path = client.home.file("none.pem")
        let ending = try await client.run(
            ["vessel", "list"] + (isFlag ? ["--ca", path] : []), environment: isFlag ? [:] : ["SHIPPY_CA": path])
        #expect(ending.status == 66)
        #expect(ending.errors.contains(path) && ending.errors.split(separator: "\n").count == 1, "\(ending.errors)")
    }

    @Test(
        "a variable that can't be used ends it with status 64",
        arguments: [("SHIPPY_URL", "x"), ("SHIPPY_TOKEN", "a b")])
    func variables(name: String, value: String) async throws {
        let client = try CommandLineClient(gateway: "http://127.0.0.1:1")
        let ending = try await client.run(["consignment", "list"], environment: [name: value])
        #expect(ending.status == 64)
        #expect(ending.errors.hasPrefix("shippy: \(name)") && ending.errors.split(separator: "\n").count == 1)
    }

    @Test("an address with a password in it is not printed")
    func passwordInAddress() async throws {
        let client = try CommandLineClient(gateway: "http://127.0.0.1:1")
        let ending = try await client.run(
            ["consignment", "list"], environment: ["SHIPPY_URL": "http://ada:horse@127.0.0.1:1"])
        #expect(ending.status == 64 && ending.errors.hasPrefix("shippy: SHIPPY_URL"))
        #expect(!ending.errors.contains("horse"))
    }

    @Test("a token goes to the gateway that it came from, and to no other")
    func ownToken() async throws {
        let user = #"{"user": {"email": "ada@example.com"}, "token": {"token": "a.b.c", "valid": true}}"#
        try await ScriptedGateway.with([.answer(200, user), .answer(200, "{}")]) { first in
            try await ScriptedGateway.with([.answer(200, Self.kane)]) { second in
                let client = try CommandLineClient(gateway: first.url)
                let arguments = ["user", "create", "--name", "Ada", "--email", "ada@example.com", "--password-stdin"]
                let created = try await client.run(arguments, input: "correct horse\n")
                #expect(created.status == 0, "\(created.errors)")
                #expect(created.output.contains("ada@example.com") && !created.output.contains("a.b.c"))
                #expect(first.requests[0].path == "/user/UserService/Create")
                #expect(first.requests[0].body.contains(#""password":"correct horse""#))
                #expect(first.requests[0].headers["idempotency-key"].first?.utf8.count == 32)

                #expect(try await client.run(["consignment", "list"]).status == 0)
                #expect(first.requests[1].headers["authorization"] == ["Bearer a.b.c"])

                // Where the other wants none it gets none.
                let vessel = ["vessel", "create", "--name", "x", "--capacity", "1", "--max-weight", "1"]
                #expect(try await client.run(vessel + ["--url", second.url]).status == 0)
                #expect(second.requests[0].headers["authorization"].isEmpty)
                let refused = try await client.run(["consignment", "list", "--url", second.url])
                #expect(refused.status == 77 && refused.errors.contains("shippy user login"), "\(refused.errors)")
                #expect(second.requests.count == 1)

                #expect(try await client.run(["user", "logout"]).status == 0)
                #expect(try await client.run(["consignment", "list"]).status == 77)
                #expect(first.requests.count == 2)
            }
        }
    }

    @Test("a log-in sends email and password as Basic authentication; SHIPPY_TOKEN wins over the kept token")
    func login() async throws {
        try await ScriptedGateway.with([.answer(200, #"{"token": "d.e.f"}"#), .answer(200, "{}")]) { gateway in
            let client = try CommandLineClient(gateway: gateway.url)
            let arguments = ["user", "login", "--email", "ada@example.com", "--password-stdin", "--json"]
            let ending = try await client.run(arguments, input: "pä:ss")
            #expect(ending.status == 0 && ending.output == "{\"token\": \"d.e.f\"}\n", "\(ending.errors)")
            let request = try #require(gateway.requests.first)
            #expect(request.method == .GET && request.path == "/login")
            let expected = Data("ada@example.com:pä:ss".utf8).base64EncodedString()
            #expect(request.headers["authorization"] == ["Basic \(expected)"])
            #expect(try await client.run(["consignment", "list"], environment: ["SHIPPY_TOKEN": "x.y.z"]).status == 0)
            #expect(gateway.requests[1].headers["authorization"] == ["Bearer x.y.z"])
        }
    }

    @Test(
        "a password that can't arrive as it is typed is not sent",
        arguments: ["", "\n", "a\nb", "a\tb", String(repeating: "p", count: 1_025)])
    func passwords(password: String) async throws {
        let client = try CommandLineClient(gateway: "http://127.0.0.1:1")
        let ending = try await client.run(["user", "login", "--email", "a@b.c", "--password-stdin"], input: password)
        #expect(ending.status == 65, "\(ending.errors)")
    }

    @Test("an answer without a token is none of a gateway")
    func noToken() async throws {
        try await ScriptedGateway.with([.answer(200, "{}"), .answer(200, #"{"token": "a\nb"}"#)]) { gateway in
            let client = try CommandLineClient(gateway: gateway.url)
            for _ in 0..<2 {
                let ending = try await client.run(
                    ["user", "login", "--email", "a@b.c", "--password-stdin"], input: "password")
                #expect(ending.status == 70, "\(ending.errors)")
            }
            #expect(!FileManager.default.fileExists(atPath: client.tokenFile))
        }
    }

    @Test("a booking is sent again with its key where the gateway is busy, away or cut off, and only then")
    func retries() async throws {
        let replies: [ScriptedGateway.Reply] = [
            .hangUp, .answer(503, #"{"detail": "away"}"#), .answer(429, "{}", headers: ["retry-after": "1"]),
            .answer(200, Self.booked), .answer(200, Self.kane), .answer(400, #"{"detail": "no"}"#),
        ]
        try await ScriptedGateway.with(replies) { gateway in
            var client = try CommandLineClient(gateway: gateway.url)
            client.environment["SHIPPY_TOKEN"] = "a.b.c"
            let file = try consignment(client)
            let start = ContinuousClock.now
            let ending = try await client.run(["consignment", "create", file])
            #expect(ending.status == 0, "\(ending.errors)")
            #expect(ContinuousClock.now - start >= .seconds(1))
            let keys = gateway.requests.prefix(4).map { $0.headers["idempotency-key"].first ?? "" }
            #expect(Set(keys).count == 1 && keys[0].utf8.count == 32)
            #expect(ending.errors == "shippy: idempotency key: \(keys[0])\n", "\(ending.errors)")
            #expect(Set(gateway.requests.prefix(4).map(\.body)) == [#"{"weight": 5, "containers": [{}]}"#])
            let lines = [
                "ID  STATUS  VESSEL  KG  CONTAINERS  CREATED",
                "c1  BOOKED  Kane     5           1  2026-01-31 09:05:00Z",
            ]
            #expect(ending.output.split(separator: "\n").map(String.init) == lines)

            let rejected = try await client.run(["consignment", "create", file, "--key", "mine"])
            #expect(rejected.status == 65 && rejected.errors == "shippy: no\n")
            #expect(gateway.requests.count == 6 && gateway.requests[5].headers["idempotency-key"] == ["mine"])
        }
    }

    @Test("it gives up after a few tries; a list is not tried again")
    func givesUp() async throws {
        let away = ScriptedGateway.Reply.answer(503, #"{"detail": "away"}"#)
        try await ScriptedGateway.with(Array(repeating: away, count: 10)) { gateway in
            var client = try CommandLineClient(gateway: gateway.url)
            client.environment["SHIPPY_TOKEN"] = "a.b.c"
            let ending = try await client.run(["consignment", "create", "-"], input: "{}")
            #expect(ending.status == 69 && ending.errors.hasSuffix("shippy: away\n"), "\(ending.errors)")
            #expect(gateway.requests.count == RetryPolicy.triesMax)
            #expect(try await client.run(["vessel", "list"]).status == 69)
            #expect(gateway.requests.count == RetryPolicy.triesMax + 1)
        }
    }

    @Test("what a server says is shown, and not obeyed")
    func hostile() async throws {
        let vessel = #"{"vessels": [{"id": "v1", "name": "\u001b]0;x\u0007\u202e京\n"}]}"#
        let replies: [ScriptedGateway.Reply] = [
            .answer(200, vessel), .answer(200, vessel),
            .answer(404, #"{"detail": "\u001b[2J\nshippy: all is well"}"#),
            .answer(200, "{\"vessels\": [{\"name\": \"\u{9b}2J\"}]}"),
            .answer(301, "", headers: ["location": "http://x/"]),
        ]
        try await ScriptedGateway.with(replies) { gateway in
            let client = try CommandLineClient(gateway: gateway.url)
            let table = try await client.run(["vessel", "list"])
            #expect(table.output.contains("\\u{1b}]0;x\\u{7}\\u{202e}京\\n"), "\(table.output)")
            #expect(table.output.split(separator: "\n").count == 2)
            let json = try await client.run(["vessel", "list", "--json"])
            #expect(json.output == vessel + "\n")
            let error = try await client.run(["vessel", "find", "--containers", "1", "--weight", "1"])
            #expect(error.status == 66 && error.errors == "shippy: \\u{1b}[2J\\nshippy: all is well\n")
            #expect(try await client.run(["vessel", "list", "--json"]).output.contains(#""\u009b2J""#))
            // Nowhere else is anybody asked.
            #expect(try await client.run(["vessel", "list"]).status == 70)
        }
    }

    @Test("a list is asked for page by page; a page that comes again, or is too large, ends it")
    func pages() async throws {
        let pages = [
            #"{"vessels": [{"id": "v1"}], "next_page_token": "t1"}"#,
            #"{"vessels": [{"id": "v2"}], "next_page_token": "t2"}"#,
            #"{"vessels": [{"id": "v3"}]}"#,
        ]
        let large = "{\"vessels\": [\(String(repeating: " ", count: HTTPClient.bodyBytesMax))]}"
        let bodies = pages + [pages[0], pages[0], large]
        let replies = bodies.map { ScriptedGateway.Reply.answer(200, $0) }
        try await ScriptedGateway.with(replies) { gateway in
            let client = try CommandLineClient(gateway: gateway.url)
            let all = try await client.run(["vessel", "list", "--json"])
            #expect(all.output == pages.map { $0 + "\n" }.joined())
            let asked = gateway.requests.map(\.body)
            #expect(asked[1].contains(#""page_token":"t1""#) && asked[2].contains(#""page_token":"t2""#))
            let endless = try await client.run(["vessel", "list"])
            #expect(endless.status == 70 && gateway.requests.count == 5)
            let tooLarge = try await client.run(["vessel", "list"])
            #expect(tooLarge.status == 70 && tooLarge.errors.contains("32 MiB"), "\(tooLarge.errors)")
        }
    }

    @Test("files that can't be sent are said by their name, and nothing is sent")
    func files() async throws {
        try await ScriptedGateway.with([]) { gateway in
            var client = try CommandLineClient(gateway: gateway.url)
            client.environment["SHIPPY_TOKEN"] = "a.b.c"
            let large = client.home.file("large.json")
            try String(repeating: " ", count: ConsignmentFile.bytesMax + 1)
                .write(toFile: large, atomically: true, encoding: .utf8)
            for (path, status) in [("/nowhere/x.json", 66), (client.home.path, 66), (large, 65), ("/dev/null", 65)] {
                let ending = try await client.run(["consignment", "create", path])
                #expect(ending.status == Int32(status) && ending.errors.contains(path), "\(ending.errors)")
            }
            #expect(gateway.requests.isEmpty)
        }
    }

    @Test("where nobody listens, or nobody knows the name, it says so with status 69")
    func nobody() async throws {
        let client = try CommandLineClient(gateway: "http://127.0.0.1:\(try Ports.free())")
        let ending = try await client.run(["vessel", "list"])
        #expect(ending.status == 69 && ending.errors.contains("can't reach http://127.0.0.1:"), "\(ending.errors)")
        let unknown = try await client.run(["vessel", "list", "--url", "http://nobody.invalid"])
        #expect(unknown.status == 69 && unknown.errors.contains("nobody.invalid"), "\(unknown.errors)")
    }

    @Test("a full disk is no success")
    func fullDisk() async throws {
        try await ScriptedGateway.with([.answer(200, "{}")]) { gateway in
            let client = try CommandLineClient(gateway: gateway.url)
            let shippy = ProcessRun.product("shippy")
            let run = try ProcessRun(
                "sh", ["-c", "exec \"$1\" vessel list > /dev/full", "sh", shippy], environment: client.environment)
            #expect(try await run.status() == 74)
            #expect(run.errors.contains("can't write the output"), "\(run.errors)")
        }
    }
}
