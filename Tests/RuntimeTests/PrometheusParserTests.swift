import Foundation
import TestSupport
import Testing

@testable import Runtime

/// Prometheus' own Python library reads what we write.
@Suite("Prometheus' parser")
struct PrometheusParserTests {
    private static let script = """
        import json, sys
        from prometheus_client.parser import text_string_to_metric_families as parse
        families = {}
        for family in parse(open(sys.argv[1]).read()):
            families[family.name] = {
                "type": family.type, "help": family.documentation,
                "samples": [[s.name, s.labels, s.value] for s in family.samples],
            }
        json.dump(families, sys.stdout)
        """

    @Test("the whole page parses, with values, types and label values as they were")
    func parses() async throws {
        let registry = MetricsRegistry()
        ProcessMetrics.register(in: registry)
        let metrics = RPCMetrics(registry: registry)
        let recorder = metrics.recorder(service: "vessel.VesselService", method: "Create")
        recorder?.callBegan()
        recorder?.callEnded(.alreadyExists, nanoseconds: 1_234_567)
        let hostile = "a\"b\\c\nd {}=,船"
        registry.counter("odd_total", "", labels: [("value", hostile)]) { 7 }
        let waits = LatencyHistogram()
        registry.histogram("wait_seconds", "With a \\ and a\nline feed.", waits)
        waits.record(nanoseconds: 5_000)
        registry.gauge("nan", "Not a number.") { .nan }
        registry.gauge("inf", "Endless.") { .infinity }

        let page = NSTemporaryDirectory() + "shippy-metrics-\(UUID().uuidString).txt"
        defer { try? FileManager.default.removeItem(atPath: page) }
        try registry.render().write(toFile: page, atomically: true, encoding: .utf8)
        let answer = try await Tool.run(Tool.python, ["-c", Self.script, page])
        // Python writes NaN and Infinity bare, which JSON does not know.
        let json = answer.replacing("NaN", with: "null").replacing("Infinity", with: "null")
        let families = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: [String: Any]])

        let odd = try #require(families["odd"]?["samples"] as? [[Any]])
        #expect((odd.first?[1] as? [String: String])?["value"] == hostile)
        #expect(odd.first?[2] as? Double == 7)
        #expect(families["wait_seconds"]?["help"] as? String == "With a \\ and a\nline feed.")
        let duration = try #require(families["rpc_server_call_duration_seconds"])
        #expect(duration["type"] as? String == "histogram")
        let samples = try #require(duration["samples"] as? [[Any]])
        let sum = samples.first { sample in
            sample[0] as? String == "rpc_server_call_duration_seconds_sum"
                && (sample[1] as? [String: String])?["rpc_response_status_code"] == "ALREADY_EXISTS"
        }
        #expect(sum?[2] as? Double == 0.001234567)
        #expect(families["rpc_server_active_calls"]?["type"] as? String == "gauge")
        #expect(families["process_cpu_seconds"] != nil)
        #expect(families["nan"] != nil && families["inf"] != nil)
    }
}
