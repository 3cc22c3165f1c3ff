import Foundation
import TestSupport
import Testing

@testable import LoadGenerator

@Suite("The program load-generator", .serialized)
struct ProgramTests {
    private func run(_ arguments: [String]) throws -> ProcessRun {
        try ProcessRun(ProcessRun.product("load-generator"), arguments)
    }

    @Test(
        "a wrong flag ends it with a line that names the flag",
        arguments: [
            (["--phases", "30s"], "--phases"), (["--mix", "sailing=1"], "--mix"), (["--rate", "0"], "--rate"),
            (["--rate", "1000000"], "--rate"), (["--duration", "-5s"], "--duration"),
            (["--duration", "24h", "--rate", "10000"], "--duration"), (["--connections", "0"], "--connections"),
            (["--users", "0"], "--users"), (["--page-size", "5000"], "--page-size"),
            (["--watch", "gateway"], "--watch"),
            (["--arrivals", "never"], "--arrivals"), (["--timeout", "0"], "--timeout"),
            (["--find-capacity", "--start-rate", "0"], "--start-rate"),
            (["--find-capacity", "--step", "0s"], "--step"),
            (["--sail"], "--sail"),
        ])
    func wrongFlags(arguments: [String], flag: String) async throws {
        let run = try run(arguments)
        let status = try await run.status()
        #expect(status == 64)
        #expect(run.errors.contains(flag), "\(run.errors)")
    }

    @Test(
        "it loads this machine only, unless it is told otherwise",
        arguments: ["http://192.0.2.1:8080", "http://0.0.0.0:8080", "http://[2001:db8::1]:80", "http://10.1.2.3"])
    func remote(url: String) async throws {
        let run = try run(["--url", url, "--duration", "1s"])
        let status = try await run.status()
        #expect(status == 1)
        #expect(run.errors.contains("--allow-remote"), "\(run.errors)")
        _ = try Target(url, allowRemote: true)
    }

    @Test(
        "addresses of this machine are taken",
        arguments: ["http://127.0.0.1:1", "http://127.3.2.1/", "http://[::1]:8080"])
    func local(url: String) throws {
        #expect(try Target(url, allowRemote: false).address.isLoopback)
    }

    @Test(
        "what is no address of a gateway is refused",
        arguments: [
            "127.0.0.1:80", "https://127.0.0.1", "http://", "http://127.0.0.1:0", "http://127.0.0.1:x",
            "http://a@127.0.0.1", "http://127.0.0.1/rpc",
        ])
    func notURL(url: String) {
        #expect(throws: UsageError.self) { try Target(url, allowRemote: false) }
    }

    @Test("where nothing listens it says so and ends")
    func nobody() async throws {
        let url = "http://127.0.0.1:\(try Ports.free())"
        let run = try run(["--url", url, "--duration", "1s"])
        let status = try await run.status()
        #expect(status == 1)
        #expect(run.errors.contains("takes no connection"), "\(run.errors)")
    }

    @Test("a file that can't be written is known before the load")
    func noFile() async throws {
        try await FakeGateway.with { gateway in
            let run = try run(["--url", gateway.address, "--duration", "60s", "--json", "/nowhere/x.json"])
            let status = try await run.status()
            #expect(status == 1)
            #expect(run.errors.contains("--json"), "\(run.errors)")
        }
    }

    @Test("a run that fails leaves the report of an earlier one as it is")
    func earlierReport() async throws {
        let folder = try TemporaryFolder()
        let json = folder.file("r.json")
        try "earlier".write(toFile: json, atomically: true, encoding: .utf8)
        let run = try run(["--url", "http://127.0.0.1:\(try Ports.free())", "--duration", "1s", "--json", json])
        let status = try await run.status()
        #expect(status == 1)
        #expect(try String(contentsOfFile: json, encoding: .utf8) == "earlier")
    }

    @Test("more connections than files may be open are refused before the load")
    func openFiles() async throws {
        let words = [ProcessRun.product("load-generator"), "--url", "http://127.0.0.1:1", "--connections", "20000"]
        let run = try ProcessRun("sh", ["-c", "ulimit -n 500; exec \"$@\"", "sh"] + words)
        let status = try await run.status()
        #expect(status == 1)
        #expect(run.errors.contains("--connections: only 500 files"), "\(run.errors)")
    }

    @Test("Ctrl-C ends the load, and the report of what there is gets written")
    func interrupt() async throws {
        try await FakeGateway.with { gateway in
            let folder = try TemporaryFolder()
            let json = folder.file("r.json")
            let run = try run(["--url", gateway.address, "--duration", "120s", "--rate", "50", "--json", json])
            try await eventually("a line of progress: \(run.errors)") { run.errors.contains("2 s ") }
            run.send(SIGINT)
            let status = try await run.status()
            #expect(status == 0)
            #expect(run.output.contains("interrupted"), "\(run.output)")
            let report = try JSONDecoder().decode(Report.self, from: Data(contentsOf: URL(fileURLWithPath: json)))
            #expect(report.isInterrupted)
            #expect(report.total.all.offered >= 90 && report.total.all.offered < 3_000)
            #expect(abs(report.total.all.offeredRate - 50) < 5)
        }
    }

    @Test("it tells each second what happens, and in the end what came of it, with no token in it")
    func report() async throws {
        try await FakeGateway.with { gateway in
            let folder = try TemporaryFolder()
            let run = try run([
                "--url", gateway.address, "--phases", "1s@50,2s@100", "--mix", "login=1,booking=1,listing=8", "--keys",
                "--arrivals", "poisson", "--json", folder.file("r.json"), "--plot", folder.file("r.svg"),
            ])
            let status = try await run.status()
            #expect(status == 0, "\(run.errors)")
            #expect(run.errors.contains("phase 2/2"), "\(run.errors)")
            for word in ["phase 1: 1 s", "phase 2: 2 s", "all phases", "login", "load generator:", "machine:"] {
                #expect(run.output.contains(word), "\(word): \(run.output)")
            }
            let written = try [folder.file("r.json"), folder.file("r.svg")].map {
                try String(contentsOfFile: $0, encoding: .utf8)
            }
            for text in written + [run.output, run.errors] {
                #expect(!text.contains("a.b.c") && !text.contains(Requests.password))
            }
        }
    }
}
