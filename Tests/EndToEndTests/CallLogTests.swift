import Contracts
import Foundation
import RPC
import TestSupport
import Testing

/// What the programs say about calls.
@Suite("Lines of calls", .timeLimit(.minutes(10)))
struct CallLogTests {
    /// A line with the message `call`.
    struct Line {
        var level: String
        var service: String
        var metadata: [String: Any]

        func text(_ name: String) -> String { metadata[name] as? String ?? "" }
    }

    static func calls(in run: ProcessRun) throws -> [Line] {
        try run.output.split(separator: "\n").compactMap { line in
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            guard object["message"] as? String == "call" else { return nil }
            return Line(
                level: object["level"] as? String ?? "", service: object["service"] as? String ?? "",
                metadata: try #require(object["metadata"] as? [String: Any]))
        }
    }

    @Test("a booking has one line for each call at each program that it crosses, with one request id and one trace id")
    func oneLineEach() async throws {
        let folder = try TemporaryFolder()
        let harbor = try Harbor(.embedded(in: folder))
        let runs = try await harbor.start()
        let caller = Caller(port: harbor.gateway.port)
        let token = try await caller.signUp("ada@example.com", password: "hunter2-hunter2").text("token.token")
        let trace = "0af7651916cd43dd8448eb211c80319c"
        let booking = """
            {"service": "consignment", "method": "ConsignmentService.Create", "request": {"description": "hunter2-text",
            "weight": 5, "containers": [{"customer_id": "cust001"}]}}
            """
        let answer = try await Web.rpc(
            harbor.gateway.port, booking,
            headers: [
                "authorization": "Bearer \(token)", "x-request-id": "booking-1",
                "traceparent": "00-\(trace)-b7ad6b7169203331-01",
            ])
        #expect(answer.status == 200)
        let missing = try await Web.get(harbor.gateway.port, "/no/such/path?secret=hunter2-query")
        #expect(missing.status == 404)
        try await Harbor.stop(runs)

        let mine = try runs.map { run in try Self.calls(in: run).filter { $0.text("request_id") == "booking-1" } }
        #expect(mine.map { $0.map(\.service) } == [["vessel", "vessel"], [], ["user"], ["consignment"], ["api"]])
        let lines = mine.flatMap { $0 }
        var methods = lines.map { $0.text("method") }
        // The user service answers under two names.
        methods[2] = methods[2].replacingOccurrences(of: "auth.Auth", with: "user.UserService")
        #expect(
            methods == [
                "vessel.VesselService/FindAvailable", "vessel.VesselService/Reserve", "user.UserService/ValidateToken",
                "consignment.ConsignmentService/Create", "consignment.ConsignmentService/Create",
            ])
        #expect(lines.map { $0.text("status") } == ["OK", "OK", "OK", "OK", "200"])
        for line in lines {
            #expect(line.text("trace_id") == trace)
            #expect(line.level == "info")
            #expect(line.text("peer").hasPrefix("127.0.0.1:"))
            #expect((line.metadata["duration_ms"] as? Double ?? -1) > 0)
        }
        #expect(lines.last?.text("service") == "consignment")

        let all = try runs.flatMap { try Self.calls(in: $0) }
        #expect(all.contains { $0.text("status") == "404" && $0.text("method") == "GET" })
        // Readiness was asked for all the time.
        #expect(!all.contains { $0.text("method").contains("ealth") || $0.text("method").contains("readyz") })
        let told = runs.map(\.output).joined()
        for secret in ["hunter2", "ada@example.com", token] { #expect(!told.contains(secret), "\(secret)") }
    }

    @Test("under load a program writes few lines, and they account for every call")
    func sampled() async throws {
        let folder = try TemporaryFolder()
        let fleet = try await Fleet(store: "sqlite:" + folder.file("vessel.db"))
        let runs = try await fleet.start()
        #expect(try await fleet.create(VesselJSON()).status == 200)
        let calls = 3_000
        let began = ContinuousClock.now
        try await withThrowingTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    let connection = try await WebConnection.open(fleet.gateway.port)
                    for _ in 0..<(calls / 4) {
                        #expect(try await connection.rpc(VesselJSON.find(capacity: 1, weight: 1)).status == 200)
                    }
                    await connection.close()
                }
            }
            try await group.waitForAll()
        }
        let seconds = Int((ContinuousClock.now - began) / .seconds(1)) + 2
        let found = ["vessel": fleet.vessel, "gateway": fleet.gateway]
        for (name, run) in ["vessel": runs.vessel, "gateway": runs.gateway] {
            let lines = try Self.calls(in: run).filter { $0.text("method").hasSuffix("FindAvailable") }
            #expect(lines.count <= 20 * seconds + 3 && lines.count >= 20, "\(lines.count) in \(seconds) s")
            let program = try #require(found[name])
            let page = Metrics(try await Web.get(program.adminPort, "/metrics").body)
            let sampled = page.value("log_lines_suppressed_total", ["reason": "sampled"])
            #expect(sampled == Double(calls - lines.count), "\(name)")
            #expect(page.value("log_lines_suppressed_total", ["reason": "full"]) == 0)
        }
        #expect(try await runs.gateway.stop() == 0)
        #expect(try await runs.vessel.stop() == 0)
    }

    @Test("all calls have lines, or none has, where that is asked for", arguments: ["all", "none"])
    func modes(mode: String) async throws {
        let folder = try TemporaryFolder()
        let vessel = try await Program.vessel(
            store: "sqlite:" + folder.file("vessel.db"), environment: ["LOG_CALLS": mode])
        let run = try await vessel.startReady()
        try await withClient(of: vessel) { client in
            for _ in 0..<100 { _ = await client.status { try await $0.find(1) } }
        }
        #expect(try await run.stop() == 0)
        #expect(try Self.calls(in: run).count == (mode == "all" ? 100 : 0))
    }
}

/// The log's level while a program runs.
@Suite("Log level", .timeLimit(.minutes(10)))
struct LogLevelTests {
    @Test("the commands of docs/operations.md show and change the level of a running program")
    func commands() async throws {
        let folder = try TemporaryFolder()
        let vessel = try await Program.vessel(store: "sqlite:" + folder.file("vessel.db"))
        let run = try await vessel.startReady()
        let document = try String(
            contentsOf: Documents.root.appendingPathComponent("docs/operations.md"), encoding: .utf8)
        let commands = document.split(separator: "\n").filter { $0.hasPrefix("curl ") && $0.contains("/log_level") }
        #expect(commands.count == 2)
        let script = commands.map { "\($0) -s".replacing("localhost:9090", with: "127.0.0.1:\(vessel.adminPort)") }
        #expect(!run.output.contains(#""level":"debug""#))
        let output = try await Tool.run("sh", ["-c", script.joined(separator: "\n")])
        #expect(output == "debug\ndebug\n")
        try await withClient(of: vessel) { client in
            _ = try await client.call(HealthMethods.check, .init(), deadline: .after(.seconds(20)))
        }
        let lines = try CallLogTests.calls(in: run)
        #expect(lines.contains { $0.level == "debug" && $0.text("method") == "grpc.health.v1.Health/Check" })
        #expect(run.output.contains(#""message":"log level changed","metadata":{"from":"info","to":"debug"}"#))

        let wrong = try await WebConnection.open(vessel.adminPort)
        let answer = try await wrong.send(.PUT, "/log_level", headers: ["content-length": "4"], body: "loud")
        #expect(answer.status == 400 && answer.body.contains("warning, error, critical"))
        await wrong.close()
        #expect(try await run.stop() == 0)
    }
}
