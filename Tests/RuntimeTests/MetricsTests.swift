import CoreMetrics
import RPC
import TestSupport
import Testing

@testable import Runtime

@Suite("Metrics")
struct MetricsTests {
    @Test("counters, gauges and timers of swift-metrics are rendered under Prometheus' names, in a stable order")
    func rendering() {
        let registry = MetricsRegistry()
        let counter = registry.makeCounter(label: "calls.made", dimensions: [("b", "2"), ("a", "1")])
        counter.increment(by: 3)
        // The same labels in another order are the same series.
        registry.makeFloatingPointCounter(label: "calls.made", dimensions: [("a", "1"), ("b", "2")]).increment(by: 0.5)
        registry.makeMeter(label: "depth", dimensions: []).set(-2.5)
        registry.makeTimer(label: "wait", dimensions: []).recordNanoseconds(2_000_000)
        registry.describe("depth", "How deep.\nReally \\ deep.")
        registry.gauge("asked", "Read at each scrape.") { 42 }

        let text = registry.render()
        #expect(text == registry.render())
        #expect(text.contains("# TYPE calls_made_total counter\ncalls_made_total{a=\"1\",b=\"2\"} 3.5\n"))
        #expect(text.contains("# HELP depth How deep.\\nReally \\\\ deep.\n# TYPE depth gauge\ndepth -2.5\n"))
        #expect(text.contains("asked 42\n"))
        #expect(text.contains("wait_seconds_bucket{le=\"0.001\"} 0\nwait_seconds_bucket{le=\"0.0025\"} 1\n"))
        #expect(text.contains("wait_seconds_bucket{le=\"+Inf\"} 1\nwait_seconds_sum 0.002\nwait_seconds_count 1\n"))
        let families = text.split(separator: "\n").filter { $0.hasPrefix("# TYPE") }
        #expect(families == families.sorted())
    }

    @Test("names and label values from anywhere stay legal")
    func hostileNames() {
        let registry = MetricsRegistry()
        registry.makeCounter(label: "9 lives-ü", dimensions: [("le", "x"), ("a b", "q\"\\\n"), ("", "e")]).increment(
            by: 1)
        let text = registry.render()
        #expect(text.contains("_9_lives____total{_=\"e\",a_b=\"q\\\"\\\\\\n\",exported_le=\"x\"} 1"))
    }

    @Test("past the limit new label sets share one series, and nothing is lost")
    func bounded() {
        let registry = MetricsRegistry(seriesMax: 10)
        for number in 0..<1_000 {
            registry.makeCounter(label: "requests", dimensions: [("path", "/\(number)")]).increment(by: 1)
        }
        let samples = registry.render().split(separator: "\n").filter { $0.hasPrefix("requests_total{") }
        #expect(samples.count == 11)
        #expect(samples.contains("requests_total{otel_metric_overflow=\"true\"} 990"))
        for number in 0..<1_000 { registry.makeCounter(label: "family\(number)", dimensions: []).increment(by: 1) }
        #expect(registry.render().split(separator: "\n").count < 50)
    }

    @Test("a name that is taken by another kind records into nothing instead of spoiling the page")
    func kindConflict() {
        let registry = MetricsRegistry()
        registry.makeMeter(label: "x_total", dimensions: []).set(Int64(1))
        registry.makeCounter(label: "x", dimensions: []).increment(by: 5)
        #expect(registry.render() == "# TYPE x_total gauge\nx_total 1\n")
    }

    @Test("a destroyed series is gone, and a callback replaces one of its name and labels")
    func removal() {
        let registry = MetricsRegistry()
        let meter = registry.makeMeter(label: "m", dimensions: [])
        registry.destroyMeter(meter)
        #expect(registry.render().isEmpty)
        registry.gauge("g", "") { 1 }
        registry.gauge("g", "") { 2 }
        #expect(registry.render().contains("g 2\n"))
        #expect(!registry.render().contains("g 1\n"))
    }

    @Test("many threads lose no count")
    func concurrent() async {
        let registry = MetricsRegistry()
        let metrics = RPCMetrics(registry: registry)
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    let counter = registry.makeFloatingPointCounter(label: "sum", dimensions: [])
                    let recorder = metrics.recorder(service: "s", method: "m")
                    for _ in 0..<10_000 {
                        counter.increment(by: 0.5)
                        recorder?.callBegan()
                        recorder?.callEnded(.ok, nanoseconds: 1_000)
                    }
                }
            }
        }
        let text = registry.render()
        #expect(text.contains("sum_total 40000\n"))
        #expect(text.contains("rpc_server_active_calls{rpc_method=\"s/m\",rpc_system_name=\"grpc\"} 0\n"))
        #expect(
            text.contains("_count{rpc_method=\"s/m\",rpc_response_status_code=\"OK\",rpc_system_name=\"grpc\"} 80000\n")
        )
    }

    @Test("calls are counted by method, status and time, and those in flight are seen")
    func rpcCalls() throws {
        let registry = MetricsRegistry()
        let metrics = RPCMetrics(registry: registry)
        let recorder = try #require(metrics.recorder(service: "vessel.VesselService", method: "Create"))
        for _ in 0..<4 { recorder.callBegan() }
        recorder.callEnded(.ok, nanoseconds: 50_000)
        recorder.callEnded(.ok, nanoseconds: 50_001)
        recorder.callEnded(.notFound, nanoseconds: 3_600_000_000_000)
        let text = registry.render()
        let labels = "rpc_method=\"vessel.VesselService/Create\""
        #expect(text.contains("rpc_server_active_calls{\(labels),rpc_system_name=\"grpc\"} 1\n"))
        let ok =
            "rpc_server_call_duration_seconds_bucket{\(labels),rpc_response_status_code=\"OK\",rpc_system_name=\"grpc\","
        #expect(text.contains(ok + "le=\"5e-05\"} 1\n"))
        #expect(text.contains(ok + "le=\"0.0001\"} 2\n"))
        let notFound = ok.replacing("OK", with: "NOT_FOUND")
        #expect(text.contains(notFound + "le=\"10\"} 0\n" + notFound + "le=\"+Inf\"} 1\n"))
        #expect(!text.contains("INTERNAL"))
    }

    @Test("the process' own figures are there")
    func processFigures() {
        let registry = MetricsRegistry()
        ProcessMetrics.register(in: registry)
        let text = registry.render()
        for name in ["process_start_time_seconds", "process_cpu_seconds_total", "process_max_fds"] {
            #expect(text.contains("\n\(name) "), "\(name)")
        }
        #expect((ProcessMetrics.residentBytes() ?? 0) > 1_000_000)
        #expect((ProcessMetrics.openDescriptors() ?? 0) > 2)
    }
}
