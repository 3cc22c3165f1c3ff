import Foundation
import TestSupport
import Testing

/// A Prometheus of the test's own, beside the programs.
@Suite("A real Prometheus", .timeLimit(.minutes(10)))
struct PrometheusTests {
    @Test("it reads all five programs and all rules, and every panel of the dashboard shows something")
    func panels() async throws {
        let folder = try TemporaryFolder()
        let smtp = try await SMTPServer()
        let receiver = try await TraceReceiver()
        let harbor = try Harbor(
            .embedded(in: folder), smtp: "smtp://127.0.0.1:\(smtp.port)",
            environment: ["RATE_LIMIT": "10000"].merging(receiver.environment) { $1 })
        let runs = try await harbor.start()
        let port = try Ports.free()
        let rules = Documents.root.appendingPathComponent("deployments/monitoring/alerts.yaml").path
        let targets = zip(["vessel", "email", "user", "consignment", "api"], harbor.programs).map {
            "      - {targets: ['127.0.0.1:\($1.adminPort)'], labels: {app: \($0)}}"
        }
        let settings = """
            global: {scrape_interval: 1s, evaluation_interval: 1s}
            rule_files: ['\(rules)']
            scrape_configs:
              - job_name: shippy
                static_configs:
            \(targets.joined(separator: "\n"))
            """
        try settings.write(toFile: folder.file("prometheus.yaml"), atomically: true, encoding: .utf8)
        let prometheus = try ProcessRun(
            "prometheus",
            [
                "--config.file=\(folder.file("prometheus.yaml"))", "--storage.tsdb.path=\(folder.file("data"))",
                "--web.listen-address=127.0.0.1:\(port)",
            ])

        // Something happens all the while, failures included, so that there are rates to show.
        let life = Task {
            let caller = Caller(port: harbor.gateway.port)
            var number = 0
            while !Task.isCancelled {
                number += 1
                let token = try await caller.signUp("ada\(number)@example.com").text("token.token")
                _ = try await caller.rpc("vessel", "VesselService.FindAvailable", #"{"capacity": 1}"#)
                // None is that large.
                _ = try await caller.rpc("vessel", "VesselService.FindAvailable", #"{"capacity": 100000}"#)
                _ = try await caller.rpc("consignment", "ConsignmentService.Get", "{}", token: token)
                _ = try await caller.rpc("nobody", "Nothing", "{}")
                try await MonitoringTests.callNothing(at: harbor.vessel)
            }
        }
        let script = Documents.root.appendingPathComponent("Tests/EndToEndTests/Scripts/ask_prometheus.py").path
        let output = await Result { try await Tool.run(Tool.python, [script, "\(port)", "5"], within: .seconds(100)) }
        life.cancel()
        _ = try? await life.value
        #expect(try output.get().contains("no findings"), "\(prometheus.errors.suffix(1_000))")
        #expect(try await prometheus.stop() == 0)
        try await Harbor.stop(runs)
    }
}
