import Foundation
import TestSupport
import Testing

/// A collector that is slow or away is nobody's trouble but its own.
@Suite("Traces with a bad collector", .timeLimit(.minutes(10)))
struct TraceFaultTests {
    private static let find =
        #"{"service": "vessel", "method": "VesselService.FindAvailable", "request": {"capacity": 3, "max_weight": 5}}"#
    private static let queueMax = 64.0

    /// The gateway and a vessel service, whose spans go to a receiver.
    private struct Fixture {
        let folder: TemporaryFolder
        let gateway: Program
        let runs: [ProcessRun]

        static func start(
            _ receiver: TraceReceiver, environment: [String: String] = [:]
        ) async throws -> Fixture {
            let folder = try TemporaryFolder()
            let bounds = [
                "OTEL_BSP_MAX_QUEUE_SIZE": "\(Int(queueMax))", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "16",
                "OTEL_EXPORTER_OTLP_TIMEOUT": "200",
            ]
            let environment = receiver.environment.merging(bounds) { $1 }.merging(environment) { $1 }
            let vessel = try await Program.vessel(
                store: "sqlite:" + folder.file("vessel.db"), ["--seed"], environment: environment)
            let gateway = try await Program.gateway(to: vessel, environment: environment)
            let runs = [try await vessel.startReady(), try await gateway.startReady()]
            try await eventually("readiness of the gateway") {
                try await Web.get(gateway.port, "/readyz").status == 200
            }
            return Fixture(folder: folder, gateway: gateway, runs: runs)
        }

        /// Calls one after the other, and expects an answer to each.
        func call(_ count: Int) async throws {
            let connection = try await WebConnection.open(gateway.port)
            for _ in 0..<count {
                let answer = try await connection.rpc(TraceFaultTests.find)
                #expect(answer.status == 200, "\(answer.body)")
            }
            await connection.close()
        }

        func metric(_ name: String) async throws -> Double {
            let page = try await Web.get(gateway.adminPort, "/metrics").body
            return try #require(Metrics(page).value(name))
        }
    }

    @Test("one that never answers changes no answer, bounds memory, and holds up no stop", arguments: [true, false])
    func hangs(isThere: Bool) async throws {
        let receiver = try await TraceReceiver(isRunning: isThere)
        if isThere { try receiver.behave(.hang) }
        let fixture = try await Fixture.start(receiver)
        let few = try await ContinuousClock().measure { try await fixture.call(500) }
        let before = try #require(fixture.runs[1].residentKiB)
        let many = try await ContinuousClock().measure { try await fixture.call(3_000) }
        // Six times as many, however fast the machine is; an export that they waited for would take seconds each time.
        #expect(many < few * 6 * 5, "\(few), then \(many)")
        let grown = try #require(fixture.runs[1].residentKiB) - before
        #expect(grown < 16 * 1024, "\(grown) KiB")
        #expect(try await fixture.metric("traces_spans_dropped_total") > 5_000)
        #expect(try await fixture.metric("traces_spans_queued") <= Self.queueMax)
        #expect(try await fixture.metric("traces_spans_exported_total") == 0)
        let complaints = fixture.runs[1].output.split(separator: "\n").count { $0.contains("traces can't be exported") }
        #expect(complaints == 1)
        let stopping = ContinuousClock.now
        try await Harbor.stop(fixture.runs)
        #expect(ContinuousClock.now - stopping < .seconds(10))
    }

    @Test("one that comes back gets what waited for it, and that is said once")
    func comesBack() async throws {
        let receiver = try await TraceReceiver()
        try receiver.behave(.refuse)
        let fixture = try await Fixture.start(receiver)
        try await fixture.call(3)
        try await eventually("a complaint") { fixture.runs[1].output.contains("traces can't be exported") }
        try receiver.behave(.well)
        try await eventually("the spans of before: \(receiver.spans.count)") {
            receiver.spans.count { $0.name == "POST /rpc" } >= 3
        }
        try await eventually("good news") { fixture.runs[1].output.contains("traces are exported again") }
        #expect(try await fixture.metric("traces_spans_dropped_total") == 0)
        try receiver.behave(.reject)
        try await fixture.call(1)
        try await eventually("refused spans") { try await fixture.metric("traces_spans_failed_total") == 2 }
        try await Harbor.stop(fixture.runs)
    }

    @Test("what ends with the program still goes out, under the name and with the headers that were asked for")
    func flush() async throws {
        let receiver = try await TraceReceiver()
        let fixture = try await Fixture.start(
            receiver,
            environment: [
                "OTEL_BSP_SCHEDULE_DELAY": "3600000", "OTEL_SERVICE_NAME": "harbour",
                "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test,service.name=other,team=a%20b",
                "OTEL_EXPORTER_OTLP_HEADERS": "X-Api-Key=open%2Csesame",
            ])
        try await fixture.call(2)
        #expect(receiver.spans.isEmpty)
        try await Harbor.stop(fixture.runs)
        let spans = receiver.spans
        #expect(spans.count { $0.name == "POST /rpc" } == 2)
        for span in spans {
            #expect(span.service == "harbour" && span.resource["team"] == "a b")
            #expect(span.resource["deployment.environment.name"] == "test")
            #expect(span.resource["telemetry.sdk.name"] == "shippy")
            #expect(span.resource["telemetry.sdk.language"] == "swift")
            #expect(span.headers["x-api-key"] == "open,sesame")
        }
        #expect(!fixture.runs.contains { $0.output.contains("sesame") })
        // The exporter's own calls are in nobody's trace.
        #expect(!spans.contains { $0.name.contains("TraceService") })
    }

    @Test("a batch that is on its way when the program stops arrives once")
    func stopInTheMiddle() async throws {
        let receiver = try await TraceReceiver()
        try receiver.behave(.late)
        let fixture = try await Fixture.start(receiver, environment: ["OTEL_EXPORTER_OTLP_TIMEOUT": "5000"])
        try await fixture.call(1)
        try await eventually("spans whose arrival is not confirmed yet") {
            receiver.spans.contains { $0.name == "POST /rpc" }
        }
        try await Harbor.stop(fixture.runs)
        let spans = receiver.spans.map(\.span)
        #expect(Set(spans).count == spans.count)
    }

    @Test("spans go by TLS to a receiver that the CA certificates verify, and to no other")
    func encrypted() async throws {
        let receiver = try await TraceReceiver(isEncrypted: true)
        var fixture = try await Fixture.start(receiver)
        try await fixture.call(1)
        try await eventually("the spans") { receiver.spans.contains { $0.name == "POST /rpc" } }
        try await Harbor.stop(fixture.runs)
        let count = receiver.spans.count
        // The system's authorities know nothing of it.
        fixture = try await Fixture.start(receiver, environment: ["OTEL_EXPORTER_OTLP_CERTIFICATE": ""])
        try await fixture.call(1)
        try await eventually("a complaint") { fixture.runs[1].output.contains("traces can't be exported") }
        try await Harbor.stop(fixture.runs)
        #expect(receiver.spans.count == count)
    }

    @Test(
        "nothing is recorded where that is switched off, and calls still have a trace",
        arguments: [
            ["OTEL_SDK_DISABLED": "true"], ["OTEL_TRACES_EXPORTER": "none"], ["OTEL_TRACES_SAMPLER": "always_off"],
        ])
    func switchedOff(environment: [String: String]) async throws {
        let receiver = try await TraceReceiver()
        let fixture = try await Fixture.start(receiver, environment: environment)
        try await fixture.call(5)
        try await Harbor.stop(fixture.runs)
        #expect(receiver.spans.isEmpty)
    }

    @Test("the trace of a mail survives the mail service, and goes on when the mail goes out")
    func restart() async throws {
        let folder = try TemporaryFolder()
        let receiver = try await TraceReceiver()
        let mail = try await SMTPServer(isRunning: false)
        let harbor = try Harbor(
            .embedded(in: folder), smtp: "smtp://127.0.0.1:\(mail.port)?starttls=never",
            environment: receiver.environment)
        var runs = try await harbor.start()
        #expect(try await Caller(port: harbor.gateway.port).signUp("ada@example.com").status == 200)
        try await eventually("a try that fails") {
            receiver.spans.contains { $0.name == "deliver mail" && $0.is_error }
        }
        // It ended before the one around it.
        #expect(receiver.spans.contains { $0.name == "smtp send" && $0.is_error })
        try await runs[1].crash()
        try await mail.start()
        runs[1] = try await harbor.email.startReady()
        try await eventually("the mail", within: .seconds(60)) {
            receiver.spans.contains { $0.name == "deliver mail" && !$0.is_error }
        }
        try await Harbor.stop(runs)
        let tries = receiver.spans.filter { $0.name == "deliver mail" }
        #expect(Set(tries.map(\.trace)).count == 1 && Set(tries.map(\.parent)).count == 1)
        #expect(receiver.spans.contains { $0.span == tries[0].parent && $0.name == "email.EmailService/Process" })
    }
}
