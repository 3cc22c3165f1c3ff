import RPC
import TestSupport
import Testing

@testable import Runtime

@Suite("Metrics")
struct MetricsTests {
    @Test("counters, gauges and histograms are rendered under legal names, in a stable order")
    func rendering() {
        let registry = MetricsRegistry()
        registry.counter("calls_made_total", "", labels: [("b", "2"), ("a", "1")]) { 1 }
        // The same labels in another order are the same series.
        registry.counter("calls_made_total", "", labels: [("a", "1"), ("b", "2")]) { 3.5 }
        registry.gauge("depth", "How deep.\nReally \\ deep.") { -2.5 }
        registry.gauge("asked", "Read at each scrape.") { 42 }
        let waits = LatencyHistogram()
        registry.histogram("wait_seconds", "", waits)
        waits.record(nanoseconds: 2_000_000)

        let text = registry.render()
        #expect(text == registry.render())
        #expect(text.contains("# TYPE calls_made_total counter\ncalls_made_total{a=\"1\",b=\"2\"} 3.5\n#"))
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
        registry.counter("9 lives-ü", "", labels: [("le", "x"), ("a b", "q\"\\\n"), ("", "e")]) { 1 }
        let text = registry.render()
        #expect(text.contains("_9_lives___{_=\"e\",a_b=\"q\\\"\\\\\\n\",exported_le=\"x\"} 1"))
    }

    @Test("a name that is taken by another kind is left as it is instead of spoiling the page")
    func kindConflict() {
        let registry = MetricsRegistry()
        registry.gauge("x_total", "") { 1 }
        registry.counter("x_total", "Other.", labels: [("a", "1")]) { 5 }
        #expect(registry.render() == "# TYPE x_total gauge\nx_total 1\n")
    }

    @Test("a reading replaces one of its name and labels")
    func replacement() {
        let registry = MetricsRegistry()
        registry.gauge("g", "") { 1 }
        registry.gauge("g", "") { 2 }
        #expect(registry.render() == "# TYPE g gauge\ng 2\n")
    }

    @Test("many threads lose no count")
    func concurrent() async {
        let registry = MetricsRegistry()
        let metrics = RPCMetrics(registry: registry)
        let waits = LatencyHistogram()
        registry.histogram("wait_seconds", "", waits)
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    let recorder = metrics.recorder(service: "s", method: "m")
                    for _ in 0..<10_000 {
                        waits.record(nanoseconds: 500_000_000)
                        recorder?.callBegan()
                        recorder?.callEnded(.ok, nanoseconds: 1_000)
                    }
                }
            }
        }
        let text = registry.render()
        #expect(text.contains("wait_seconds_sum 40000\nwait_seconds_count 80000\n"))
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
