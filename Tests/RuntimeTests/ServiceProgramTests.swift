import Foundation
import TestSupport
import Testing

/// The fixture program, as a process: what a shell, an orchestrator and a probe see.
@Suite("A program as a process", .timeLimit(.minutes(10)))
struct ServiceProgramTests {
    private struct Ran {
        var process: ProcessRun
        var callPort: Int
        var adminPort: Int
    }

    /// Starts it on free ports and waits until it listens.
    private func start(_ flags: [String] = [], _ environment: [String: String] = [:]) async throws -> Ran {
        let process = try ProcessRun(
            ProcessRun.product("RuntimeFixture"),
            ["--server_address=127.0.0.1:0", "--admin_address=127.0.0.1:0"] + flags, environment: environment)
        return Ran(
            process: process, callPort: try await port(of: process, for: "calls"),
            adminPort: try await port(of: process, for: "admin"))
    }

    private func port(of process: ProcessRun, for purpose: String) async throws -> Int {
        try await process.waitForOutput("\"for\":\"\(purpose)\"")
        let line = process.output.split(separator: "\n").first { $0.contains("\"for\":\"\(purpose)\"") }
        let match = try #require(line?.firstMatch(of: /127\.0\.0\.1:([0-9]+)/))
        return try #require(Int(match.1))
    }

    private func complain(_ flags: [String], _ environment: [String: String] = [:]) async throws -> (Int32, String) {
        let process = try ProcessRun(ProcessRun.product("RuntimeFixture"), flags, environment: environment)
        let status = try await process.status()
        #expect(process.errors.filter { $0 == "\n" }.count == 1, "\(process.errors)")
        return (status, process.errors)
    }

    /// Status and body of a GET.
    private func get(_ port: Int, _ path: String) async throws -> String {
        try await Tool.run("curl", ["-s", "-w", "\n%{http_code}", "http://127.0.0.1:\(port)\(path)"])
    }

    @Test("flags and variables that can't be used end it with one line and status 64")
    func badSettings() async throws {
        let unknown = try await complain(["--sever_address=:1"])
        #expect(unknown.0 == 64)
        #expect(unknown.1.hasPrefix("runtime-fixture: Unknown option '--sever_address'"))
        let address = try await complain([], ["MICRO_SERVER_ADDRESS": "nowhere"])
        #expect(address.0 == 64)
        #expect(address.1.hasPrefix("runtime-fixture: MICRO_SERVER_ADDRESS: 'nowhere' is not an address"))
        #expect(try await complain(["extra"]).0 == 64)
        #expect(try await complain(["--tls_cert=/missing", "--tls_key=/missing"]).1.contains("no such file"))
    }

    @Test("--help names every flag with its variable, on standard output")
    func help() async throws {
        let process = try ProcessRun(ProcessRun.product("RuntimeFixture"), ["--help"])
        #expect(try await process.status() == 0)
        let flags = [
            "--server_address", "--selector", "--admin_address", "--log_level", "--drain_timeout", "--store_timeout",
            "--max_connection_age", "--connect_wait", "--threads", "--tls_cert", "--tls_key", "--tls_ca",
        ]
        for flag in flags { #expect(process.output.contains(flag), "\(flag)") }
        for variable in [
            "MICRO_SERVER_ADDRESS", "MICRO_SELECTOR", "ADMIN_ADDRESS", "STORE_TIMEOUT", "MAX_CONNECTION_AGE",
        ] {
            #expect(process.output.contains("[\(variable)]"), "\(variable)")
        }
    }

    @Test("probes, metrics and JSON logs work, and SIGTERM ends it with status 0", arguments: [SIGTERM, SIGINT])
    func life(signal: Int32) async throws {
        let ran = try await start()
        try await ran.process.waitForOutput("\"message\":\"ready\"")
        #expect(try await get(ran.adminPort, "/healthz") == "ok\n\n200")
        #expect(
            try await get(ran.adminPort, "/readyz")
                == "{\"status\":\"ready\",\"checks\":[{\"name\":\"store\",\"ready\":true}]}\n\n200")
        let metrics = try await get(ran.adminPort, "/metrics")
        #expect(metrics.contains("rpc_server_active_calls{rpc_method=\"vessel.VesselService/FindAvailable\""))
        #expect(metrics.contains("process_resident_memory_bytes "))
        #expect(try await get(ran.adminPort, "/else").hasSuffix("404"))
        ran.process.send(signal)
        #expect(try await ran.process.status() == 0)
        for line in ran.process.output.split(separator: "\n") {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect(object?["service"] as? String == "fixture")
        }
        #expect(ran.process.output.contains("\"message\":\"stopped\""))
        #expect(ran.process.errors.isEmpty)
    }

    /// Runs the program to ask the one at `address`, and returns status and complaint.
    private func askHealth(_ address: String) async throws -> (status: Int32, complaint: String) {
        let process = try ProcessRun(
            ProcessRun.product("RuntimeFixture"), ["--healthcheck"], environment: ["ADMIN_ADDRESS": address])
        let status = try await process.status()
        #expect(process.output.isEmpty)
        return (status, process.errors)
    }

    @Test("--healthcheck ends with 0 if the running program is ready, else with 1 and the reason")
    func healthCheck() async throws {
        let ready = try await start()
        try await ready.process.waitForOutput("\"message\":\"ready\"")
        for address in ["127.0.0.1:\(ready.adminPort)", ":\(ready.adminPort)", "localhost:\(ready.adminPort)"] {
            let answer = try await askHealth(address)
            #expect(answer.status == 0, "\(address)")
            #expect(answer.complaint.isEmpty)
        }

        let waiting = try await start(["--store=absent"])
        let unready = try await askHealth("127.0.0.1:\(waiting.adminPort)")
        #expect(unready.status == 1)
        #expect(unready.complaint.contains("\"status\":\"not ready\""), "\(unready.complaint)")

        let nobody = try await askHealth("127.0.0.1:\(try Ports.free())")
        #expect(nobody.status == 1)
        #expect(nobody.complaint.hasSuffix(": connection refused\n"), "\(nobody.complaint)")
        #expect(try await complain(["--healthcheck", "--admin_address=nowhere"]).0 == 64)
    }

    @Test("Python's grpcio gets health answers: serving, not serving before the store is there, and not found")
    func grpcHealth() async throws {
        let script = """
            import sys, grpc
            channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            for name in ["", "vessel.VesselService", "grpc.health.v1.Health", "no.Such"]:
                try:
                    request = bytes([10, len(name)]) + name.encode() if name else b""
                    print(check(request, timeout=10, wait_for_ready=True).hex())
                except grpc.RpcError as error:
                    print(error.code().name)
            """
        let well = try await start()
        try await well.process.waitForOutput("\"message\":\"ready\"")
        let answers = try await Tool.run(Tool.python, ["-c", script, "\(well.callPort)"])
        #expect(answers == "0801\n0801\n0801\nNOT_FOUND\n")

        let absent = try await start(["--store=absent"])
        let waiting = try await Tool.run(Tool.python, ["-c", script, "\(absent.callPort)"])
        #expect(waiting == "0802\n0802\n0802\nNOT_FOUND\n")
    }

    @Test("a store that is away is waited for, with the reason in log and probe, until the time given")
    func absentStore() async throws {
        let ran = try await start(["--store=absent"], ["STORE_TIMEOUT": "6"])
        try await ran.process.waitForOutput("waiting for the store at fixture:1: nobody listens")
        try await eventually("the probe's reason") {
            try await get(ran.adminPort, "/readyz").contains("\"reason\":\"not reached yet\"}]}\n\n503")
        }
        #expect(try await ran.process.status() == 1)
        #expect(
            ran.process.errors
                == "runtime-fixture: the store at fixture:1 was not there within 6.0 seconds: nobody listens\n")
    }

    @Test("a store that can't be used ends it at once")
    func unusableStore() async throws {
        let refused = try await complain(
            ["--store=unusable", "--server_address=127.0.0.1:0", "--admin_address=127.0.0.1:0"])
        #expect(refused.0 == 1)
        #expect(refused.1 == "runtime-fixture: the store at fixture:1 refuses: not a database\n")
    }

    @Test("a store that denies access is waited for, with the reason in the log, until the time given")
    func denyingStore() async throws {
        let ran = try await start(["--store=denying"], ["STORE_TIMEOUT": "2"])
        try await ran.process.waitForOutput("waiting for the store at fixture:1: it refuses: wrong password")
        #expect(try await ran.process.status() == 1)
        #expect(ran.process.errors == "runtime-fixture: the store at fixture:1 refuses: wrong password\n")
    }

    @Test("a signal ends it also while a connection attempt hangs")
    func hangingStore() async throws {
        let ran = try await start(["--store=hanging"])
        ran.process.send(SIGTERM)
        #expect(try await ran.process.status() == 0)
    }

    @Test("a second signal ends it at once when stopping hangs")
    func secondSignal() async throws {
        let ran = try await start(["--stuck"])
        try await ran.process.waitForOutput("\"message\":\"ready\"")
        ran.process.send(SIGTERM)
        try await ran.process.waitForOutput("\"message\":\"stopping\"")
        ran.process.send(SIGTERM)
        #expect(try await ran.process.status() == 128 + SIGTERM)
    }
}
