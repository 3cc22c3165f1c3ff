import Foundation
import TestSupport
import Testing

/// What people do with `shippy`, against all programs.
@Suite("The command-line client", .timeLimit(.minutes(10)))
struct CommandLineTests {
    /// The series' file, as it is.
    private static let consignment = """
        {
          "description": "This is a test consignment",
          "weight": 55000,
          "containers": [
            { "customer_id": "cust001", "user_id": "user001", "origin": "Manchester, United Kingdom" },
            { "customer_id": "cust002", "user_id": "user001", "origin": "Derby, United Kingdom" },
            { "customer_id": "cust005", "user_id": "user001", "origin": "Sheffield, United Kingdom" }
          ],
          "vessel_id": "vessel001"
        }
        """

    /// Signs up and keeps the token.
    private func signUp(_ client: CommandLineClient, _ email: String) async throws {
        let arguments = ["user", "create", "--name", "Ewan", "--company", "BBC", "--email", email, "--password-stdin"]
        let ending = try await client.run(arguments, input: "correct horse\n")
        #expect(ending.status == 0, "\(ending.errors)")
        #expect(ending.output.contains(email))
    }

    /// The cells of the row that begins with an id.
    private func row(_ id: String, _ table: String) -> [String] {
        let line = table.split(separator: "\n").first { $0.hasPrefix(id) } ?? ""
        return line.components(separatedBy: "  ").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    private func json(_ text: String) -> [String: Any] {
        WebAnswer(status: 200, headers: [:], body: text).json
    }

    @Test("sign up, log in, list vessels, book, list, cancel; and each kind of failure has its exit status")
    func story() async throws {
        let folder = try TemporaryFolder()
        let harbor = try Harbor(.embedded(in: folder))
        let runs = try await harbor.start()
        let url = "http://localhost:\(harbor.gateway.port)"
        let client = try CommandLineClient(gateway: url)

        try await signUp(client, "ewan@example.com")
        let mode = try FileManager.default.attributesOfItem(atPath: client.tokenFile)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try await client.run(["user", "logout"]).status == 0)
        #expect(try await client.run(["consignment", "list"]).status == 77)
        let login = ["user", "login", "--email", "ewan@example.com", "--password-stdin"]
        #expect(try await client.run(login, input: "wrong horse\n").status == 77)
        #expect(try await client.run(login, input: "correct horse\n").status == 0)

        let vessels = try await client.run(["vessel", "list"])
        #expect(
            row("vessel001", vessels.output) == ["vessel001", "Kane's Salty Secret", "0/500", "0/200000", "yes"],
            "\(vessels.output)")
        let found = try await client.run(["vessel", "find", "--containers", "3", "--weight", "150000"])
        #expect(found.output.contains("vessel001"))

        let file = folder.file("consignment.json")
        try Self.consignment.write(toFile: file, atomically: true, encoding: .utf8)
        let booked = try await client.run(["consignment", "create", file, "--key", "first"])
        #expect(booked.status == 0 && booked.errors.isEmpty, "\(booked.errors)")
        let again = try await client.run(["consignment", "create", "-", "--key", "first"], input: Self.consignment)
        #expect(again.output == booked.output, "\(again.errors)")
        let list = try await client.run(["consignment", "list"])
        #expect(list.output == booked.output, "\(list.output)")
        let id = String(list.output.split(separator: "\n").last?.split(separator: " ").first ?? "")
        #expect(Array(row(id, list.output).dropFirst().prefix(4)) == ["BOOKED", "Kane's Salty Secret", "55000", "3"])
        let full = try await client.run(["vessel", "list"])
        #expect(Array(row("vessel001", full.output)[2...3]) == ["3/500", "55000/200000"])

        let shown = try await client.run(["consignment", "show", id])
        for word in ["Kane's Salty Secret (vessel001)", "55000 kg", "cust005", "Derby, United Kingdom"] {
            #expect(shown.output.contains(word), "\(shown.output)")
        }
        let listJSON = json(try await client.run(["consignment", "list", "--json"]).output)
        let showJSON = json(try await client.run(["consignment", "show", id, "--json"]).output)
        let first = (listJSON["consignments"] as? [[String: Any]])?.first?["id"] as? String
        #expect(first == id && (showJSON["consignment"] as? [String: Any])?["id"] as? String == id)

        try await failures(client, url, consignment: id, file)

        for _ in 0..<2 {
            let cancelled = try await client.run(["consignment", "cancel", id, "--yes"])
            #expect(cancelled.status == 0 && cancelled.output == "\(id)  CANCELLED\n", "\(cancelled.errors)")
        }
        try await eventually("the room that was released") {
            row("vessel001", try await client.run(["vessel", "list"]).output).contains("0/500")
        }
        try await Harbor.stop(runs)
        #expect(try await client.run(["vessel", "list"]).status == 69)
    }

    /// What ends with another status than 0.
    private func failures(
        _ client: CommandLineClient, _ url: String, consignment id: String, _ file: String
    ) async throws {
        let none = try await client.run(["vessel", "find", "--containers", "30000", "--weight", "1"])
        #expect(none.status == 66 && none.errors.contains("FLEET_FULL"), "\(none.errors)")
        #expect(none.errors.hasPrefix("shippy: ") && none.errors.split(separator: "\n").count == 1)
        let create = ["vessel", "create", "--name", "Own", "--max-weight", "10", "--id", "own"]
        let invalid = try await client.run(create + ["--capacity", "0"])
        #expect(invalid.status == 65 && invalid.errors.contains("field capacity"), "\(invalid.errors)")
        #expect(try await client.run(create + ["--capacity", "1", "--unavailable"]).status == 0)
        #expect(try await client.run(create + ["--capacity", "1"]).status == 65)
        let changed = try await client.run(["vessel", "update", "own", "--available", "--max-weight", "20"])
        #expect(row("own", changed.output) == ["own", "Own", "0/1", "0/20", "yes"], "\(changed.errors)")
        #expect(try await client.run(["vessel", "update", "nobody", "--available"]).status == 66)
        #expect(try await client.run(["vessel", "update", "own"]).status == 64)

        let unknown = try await client.run(["consignment", "create", "-"], input: #"{"weigth": 5}"#)
        #expect(unknown.status == 65 && unknown.errors.contains("weigth"), "\(unknown.errors)")
        let differing = #"{"weight": 5, "containers": [{}]}"#
        #expect(try await client.run(["consignment", "create", "-", "--key", "first"], input: differing).status == 65)
        #expect(try await client.run(["consignment", "show", "nothing"]).status == 66)
        let badToken = ["SHIPPY_TOKEN": "a.b.c"]
        #expect(try await client.run(["consignment", "list"], environment: badToken).status == 77)

        // Another user sees and changes nothing of this one's.
        let other = try CommandLineClient(gateway: url)
        try await signUp(other, "ada@example.com")
        #expect(try await other.run(["consignment", "show", id]).status == 66)
        #expect(try await other.run(["consignment", "cancel", id, "--yes"]).status == 66)
        #expect(try await other.run(["vessel", "update", "own", "--unavailable"]).status == 77)
        #expect(try await other.run(["consignment", "list"]).output.split(separator: "\n").count == 1)
    }

    @Test("over TLS it trusts whom --ca or SHIPPY_CA names, and nobody else")
    func encrypted() async throws {
        let folder = try TemporaryFolder()
        let certificates = try await Certificates()
        let vessel = try await Program.vessel(store: "sqlite:" + folder.file("vessel.db"), ["--seed"])
        let gateway = try await Program.gateway(to: vessel, certificates.serving)
        let vesselRun = try await vessel.startReady()
        let gatewayRun = try await gateway.startReady()
        let client = try CommandLineClient(gateway: "https://localhost:\(gateway.port)")
        let listed = try await client.run(["vessel", "list", "--ca", certificates.authority])
        #expect(listed.status == 0 && listed.output.contains("vessel001"), "\(listed.errors)")
        let byVariable = try await client.run(["vessel", "list"], environment: ["SHIPPY_CA": certificates.authority])
        #expect(byVariable.output == listed.output)
        let distrusted = try await client.run(["vessel", "list"])
        #expect(distrusted.status == 69 && distrusted.errors.contains("no safe connection"), "\(distrusted.errors)")
        let plain = try await client.run(["vessel", "list", "--url", "http://localhost:\(gateway.port)"])
        #expect(plain.status != 0)
        #expect(try await gatewayRun.stop() == 0)
        #expect(try await vesselRun.stop() == 0)
    }
}
