import Foundation
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

/// What a collector sees of metrics and logs, which are exported only when that is asked for.
@Suite("Metrics and logs at a collector", .timeLimit(.minutes(10)))
struct TelemetryTests {
    private static let find =
        #"{"service": "vessel", "method": "VesselService.FindAvailable", "request": {"capacity": 3, "max_weight": 5}}"#

    /// The names by which a collector knows the programs, in the order of ``Harbor/programs``.
    private static let services = ["vessel", "email", "user", "consignment", "api"].map { "shippy-\($0)" }

    @Test("all programs' metrics and logs arrive, and a call's line leads to its span")
    func arrive() async throws {
        let folder = try TemporaryFolder()
        let receiver = try await TraceReceiver()
        let harbor = try Harbor(
            .embedded(in: folder),
            environment: receiver.environmentOfAll.merging(["SHIPPY_VERSION": "1.2.3", "LOG_CALLS": "all"]) { $1 })
        let runs = try await harbor.start()
        let signedUp = try await Caller(port: harbor.gateway.port).signUp("ada@example.com")
        #expect(signedUp.status == 200, "\(signedUp.body)")
        try await eventually("metrics of each program: \(Set(receiver.metrics.map(\.service)))") {
            Set(receiver.metrics.map(\.service)) == Set(Self.services)
        }
        try await eventually("the sign-up's lines") {
            Set(receiver.logs.filter { $0.message == "call" }.map(\.service)).isSuperset(
                of: ["shippy-user", "shippy-email", "shippy-api"])
        }
        var pages: [Metrics] = []
        for program in harbor.programs { pages.append(Metrics(try await Web.get(program.adminPort, "/metrics").body)) }
        try await Harbor.stop(runs)

        for (service, page) in zip(Self.services, pages) { try compare(receiver, service, page) }
        for (service, run) in zip(Self.services, runs) { try compareLines(receiver, service, run) }
        try checkTraces(receiver)
        let everything = "\(receiver.logs)\(receiver.metrics)"
        for secret in [signedUp.text("token.token"), "correct horse", "ada@example.com"] {
            #expect(!everything.contains(secret))
        }
    }

    /// What was exported last is what the page shows.
    private func compare(_ receiver: TraceReceiver, _ service: String, _ page: Metrics) throws {
        var last: [String: ReceivedMetric] = [:]
        for metric in receiver.metrics where metric.service == service { last[metric.name] = metric }
        for (name, type) in page.types {
            let samples = page.samples.filter {
                $0.name == (type == "histogram" ? "\(name)_count" : name) && !$0.value.isNaN
            }
            guard !samples.isEmpty else { continue }
            let metric = try #require(last[name], "\(service) exports no \(name)")
            #expect(metric.kind == (type == "counter" ? "sum" : type), "\(name)")
            #expect(metric.is_monotonic == (type == "counter") && metric.is_cumulative == (type != "gauge"), "\(name)")
            #expect(metric.points.count >= samples.count, "\(name)")
            for point in metric.points {
                #expect(!point.value.isEmpty && point.time > point.start, "\(name)")
                #expect((point.start == 0) == (type == "gauge"), "\(name)")
                guard let buckets = point.buckets, let bounds = point.bounds else { continue }
                #expect(buckets.reduce(0, +) == point.count && buckets.count == bounds.count + 1, "\(name)")
            }
        }
        let build = try #require(last["shippy_build_info"])
        #expect(build.points.first?.value == "1.0" && build.points.first?.attributes["version"] == "1.2.3")
        #expect(build.resource["service.version"] == "1.2.3")
        // The same process, whatever it sends.
        let resources =
            receiver.metrics.filter { $0.service == service }.map(\.resource)
            + receiver.logs.filter { $0.service == service }.map(\.resource)
            + receiver.spans.filter { $0.service == service }.map(\.resource)
        let instances = Set(resources.map { $0["service.instance.id"] ?? "" })
        #expect(instances.count == 1 && !instances.contains(""), "\(instances)")
    }

    /// What was exported is what the log says: every line but those about exports, and the one that follows the last.
    private func compareLines(_ receiver: TraceReceiver, _ service: String, _ run: ProcessRun) throws {
        let lines = try run.output.split(separator: "\n").map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
        let logged = lines.map { "\($0["level"] as? String ?? "") \($0["message"] as? String ?? "")" }
        let exported = receiver.logs.filter { $0.service == service }.map { "\($0.level) \($0.message)" }
        let exportable = logged.filter { $0 != "info stopped" && !$0.contains("export") }
        #expect(exportable.sorted() == exported.sorted(), "\(service)")
        // Their metadata too, but for the trace, which has fields of its own.
        let keys = lines.map { Set(($0["metadata"] as? [String: Any] ?? [:]).keys).subtracting(["trace_id"]) }
        for record in receiver.logs where record.service == service {
            #expect(keys.contains(Set(record.attributes.keys)), "\(record)")
        }
    }

    private func checkTraces(_ receiver: TraceReceiver) throws {
        let spans = Set(receiver.spans.map { "\($0.service) \($0.trace) \($0.span)" })
        let calls = receiver.logs.filter { $0.message == "call" && $0.level == "info" }
        let create = try #require(calls.first { $0.service == "shippy-user" && $0.attributes["status"] == "OK" })
        #expect(create.trace.count == 32 && create.span.count == 16 && create.flags == 1)
        #expect(create.severity == 9 && create.logger == "user")
        for call in calls where !call.trace.isEmpty && call.flags == 1 {
            #expect(spans.contains("\(call.service) \(call.trace) \(call.span)"), "\(call)")
        }
    }

    @Test("a collector that hangs or is away holds up no stop, and what is said of it is not exported")
    func badCollector() async throws {
        let folder = try TemporaryFolder()
        let receiver = try await TraceReceiver()
        try receiver.behave(.hang)
        let vessel = try await Program.vessel(
            store: "sqlite:" + folder.file("vessel.db"),
            environment: receiver.environmentOfAll.merging([
                "OTEL_BLRP_MAX_QUEUE_SIZE": "16", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "8",
                "OTEL_EXPORTER_OTLP_TIMEOUT": "200", "LOG_CALLS": "all",
            ]) { $1 })
        // Traces begin there.
        let gateway = try await Program.gateway(to: vessel, environment: receiver.environment)
        let runs = [try await vessel.startReady(), try await gateway.startReady()]
        let connection = try await WebConnection.open(gateway.port)
        for _ in 0..<300 { #expect(try await connection.rpc(Self.find).status == 404) }
        await connection.close()
        for kind in ["traces", "metrics", "logs"] {
            try await eventually("a complaint about \(kind)") {
                runs[0].output.contains("\(kind) can't be exported")
            }
        }
        let page = Metrics(try await Web.get(vessel.adminPort, "/metrics").body)
        let dropped = try #require(page.value("logs_records_dropped_total"))
        let queued = try #require(page.value("logs_records_queued"))
        #expect(dropped > 200 && queued <= 16)
        #expect(page.value("logs_records_exported_total") == 0)
        try receiver.behave(.well)
        try await eventually("good news", within: .seconds(60)) {
            runs[0].output.contains("logs are exported again")
        }
        try receiver.behave(.hang)
        // One after the other they would take 2 s each.
        let stopping = ContinuousClock.now
        try await Harbor.stop(runs)
        #expect(ContinuousClock.now - stopping < .seconds(10))
        let own = runs[0].output.split(separator: "\n").filter { $0.contains("export") }
        #expect(own.count < 20, "\(own)")
        #expect(!receiver.logs.contains { $0.message.contains("export") })
    }

    @Test("what is written before the program ends is exported, however long it would have waited")
    func flush() async throws {
        let folder = try TemporaryFolder()
        let receiver = try await TraceReceiver()
        let vessel = try await Program.vessel(
            store: "sqlite:" + folder.file("vessel.db"),
            environment: receiver.environmentOfAll.merging([
                "OTEL_BLRP_SCHEDULE_DELAY": "3600000", "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
            ]) { $1 })
        let run = try await vessel.startReady()
        #expect(receiver.logs.isEmpty && receiver.metrics.isEmpty)
        try await Harbor.stop([run])
        #expect(receiver.logs.contains { $0.message == "stopping" })
        #expect(receiver.metrics.contains { $0.name == "process_cpu_seconds_total" })
    }

    @Test(
        "nothing connects to the collector unless an export is asked for",
        arguments: [
            ["OTEL_TRACES_EXPORTER": "none"],
            ["OTEL_SDK_DISABLED": "true", "OTEL_METRICS_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"],
            ["OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"],
        ])
    func off(environment: [String: String]) async throws {
        let connections = Atomic(0)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                connections.add(1, ordering: .relaxed)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        let folder = try TemporaryFolder()
        let soon = [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:\(port)", "OTEL_METRIC_EXPORT_INTERVAL": "10",
            "OTEL_BLRP_SCHEDULE_DELAY": "10",
        ]
        let vessel = try await Program.vessel(
            store: "sqlite:" + folder.file("vessel.db"), environment: soon.merging(environment) { $1 })
        let run = try await vessel.startReady()
        let page = Metrics(try await Web.get(vessel.adminPort, "/metrics").body)
        #expect(!page.samples.contains { $0.name.hasPrefix("logs_") || $0.name.hasPrefix("metrics_") })
        // The end sends what is left, if anything is to be sent at all.
        try await Harbor.stop([run])
        #expect(connections.load(ordering: .relaxed) == 0)
        try await listener.close()
    }
}
