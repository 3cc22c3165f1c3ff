import RPC
import Testing

@testable import Runtime

@Suite("What the environment says about metrics and logs")
struct TelemetrySettingsTests {
    private static let endpoint = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"]
    private static let both = ["OTEL_METRICS_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"]

    private func settings(_ environment: [String: String], isDisabled: Bool = false) throws -> TelemetrySettings {
        try TelemetrySettings(name: "vessel", Settings(environment: environment), isDisabled: isDisabled)
    }

    @Test("neither is exported unless it is asked for, whatever else is said")
    func off() throws {
        let rest = [
            "OTEL_METRIC_EXPORT_INTERVAL": "soon", "OTEL_BLRP_MAX_QUEUE_SIZE": "0",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "nowhere", "OTEL_EXPORTER_OTLP_METRICS_HEADERS": "two words",
        ]
        let none = ["OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "None"]
        for environment in [rest, rest.merging(none) { $1 }] {
            let read = try settings(Self.endpoint.merging(environment) { $1 })
            #expect(read.traces.receiver != nil)
            #expect(read.metrics.export.receiver == nil && read.logs.export.receiver == nil)
        }
        let wrong = try settings(rest.merging(Self.both) { $1 }, isDisabled: true)
        #expect(wrong.metrics.export.receiver == nil && wrong.logs.export.receiver == nil)
    }

    @Test("both have OpenTelemetry's defaults, and go where traces go")
    func standard() throws {
        let read = try settings(Self.endpoint.merging(Self.both) { $1 })
        let collector = HostPort(host: "collector", port: 4317)
        #expect(read.metrics.export.receiver?.target == collector && read.logs.export.receiver?.target == collector)
        #expect(read.metrics.interval == .seconds(60) && read.logs.delay == .seconds(1))
        #expect(read.logs.queueRecordsMax == 2_048 && read.logs.batchRecordsMax == 512)
    }

    @Test("what is said of one kind wins over what is said of all")
    func ownVariables() throws {
        let own = [
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://metrics:1",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://logs:2",
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "a=b", "OTEL_EXPORTER_OTLP_HEADERS": "c=d",
            "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "5", "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc", "OTEL_BLRP_MAX_QUEUE_SIZE": "8",
        ]
        let read = try settings(Self.endpoint.merging(Self.both) { $1 }.merging(own) { $1 })
        #expect(read.metrics.export.receiver?.target == HostPort(host: "metrics", port: 1))
        #expect(read.logs.export.receiver?.target == HostPort(host: "logs", port: 2))
        #expect(read.logs.export.headers == ["a": "b"] && read.metrics.export.headers == ["c": "d"])
        #expect(read.metrics.export.timeout == .milliseconds(5) && read.logs.export.timeout == .seconds(10))
        #expect(read.metrics.interval == .seconds(1))
        #expect(read.logs.queueRecordsMax == 8 && read.logs.batchRecordsMax == 8)
    }

    @Test("what can't be used is said with the variable's name")
    func mistakes() {
        let mistakes: [(environment: [String: String], complaint: String)] = [
            (["OTEL_METRICS_EXPORTER": "prometheus"], "OTEL_METRICS_EXPORTER: 'prometheus'"),
            (["OTEL_LOGS_EXPORTER": "console"], "OTEL_LOGS_EXPORTER: 'console'"),
            (["OTEL_METRIC_EXPORT_INTERVAL": "60s"], "OTEL_METRIC_EXPORT_INTERVAL: '60s'"),
            (["OTEL_BLRP_SCHEDULE_DELAY": "0"], "OTEL_BLRP_SCHEDULE_DELAY: '0'"),
            (["OTEL_BLRP_MAX_QUEUE_SIZE": "65537"], "OTEL_BLRP_MAX_QUEUE_SIZE: '65537'"),
            (["OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "1025"], "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: '1025'"),
            (["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "collector"], "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "),
            (["OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/json"], "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/json'"),
            (["OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "-1"], "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: '-1'"),
            (["OTEL_EXPORTER_OTLP_LOGS_HEADERS": "two words=x"], "OTEL_EXPORTER_OTLP_LOGS_HEADERS: "),
            (
                [
                    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://logs:1",
                    "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE": "/missing.pem",
                ], "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE: can't use '/missing.pem': no such file"
            ),
        ]
        for mistake in mistakes {
            let environment = Self.endpoint.merging(Self.both) { $1 }.merging(mistake.environment) { $1 }
            let error = #expect(throws: ConfigurationError.self) { try settings(environment) }
            #expect(error?.description.hasPrefix(mistake.complaint) == true, "\(mistake.complaint)")
        }
    }

    @Test("an export without a collector is refused, and says what is missing", arguments: ["METRICS", "LOGS"])
    func noCollector(kind: String) {
        let error = #expect(throws: ConfigurationError.self) { try settings(["OTEL_\(kind)_EXPORTER": "otlp"]) }
        #expect(error?.description.hasPrefix("OTEL_\(kind)_EXPORTER: ") == true)
        #expect(error?.description.contains("OTEL_EXPORTER_OTLP_\(kind)_ENDPOINT") == true)
    }

    @Test("all kinds are of one resource: name, version and instance, and what the operator adds")
    func resource() throws {
        let read = try settings(
            Self.endpoint.merging(Self.both) { $1 }.merging([
                "SHIPPY_VERSION": "1.2.3", "OTEL_RESOURCE_ATTRIBUTES": "team=a%20b,service.name=other",
            ]) { $1 })
        func attributes(_ resource: TelemetryResource) -> [String: String] {
            [String: String](uniqueKeysWithValues: resource.attributes.map { ($0.name, $0.value) })
        }
        let traces = attributes(read.traces.resource)
        #expect(traces["service.name"] == "other" && traces["service.version"] == "1.2.3" && traces["team"] == "a b")
        #expect(traces["service.instance.id"]?.utf8.count == 36)
        #expect(attributes(read.metrics.resource) == traces && attributes(read.logs.resource) == traces)
    }
}
