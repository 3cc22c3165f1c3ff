import RPC
import Testing
import Traces

@testable import Runtime

@Suite("What the environment says about traces")
struct TraceSettingsTests {
    private static let endpoint = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://jaeger:4317"]

    private func settings(_ environment: [String: String], isDisabled: Bool = false) throws -> TraceSettings {
        let all = Self.endpoint.merging(environment) { $1 }
        return try TraceSettings(name: "vessel", Settings(environment: all), isDisabled: isDisabled)
    }

    @Test("the protocol for traces wins, and the one for everything is then not looked at")
    func protocols() throws {
        let read = try settings([
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        ])
        #expect(read.receiver?.target == HostPort(host: "jaeger", port: 4317))
        #expect(throws: ConfigurationError.self) {
            try settings([
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            ])
        }
        #expect(throws: ConfigurationError.self) { try settings(["OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"]) }
    }

    @Test("what is switched off is not held up by what else is wrong")
    func switchedOff() throws {
        let wrong = [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "jaeger", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
            "OTEL_EXPORTER_OTLP_HEADERS": "two words", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/missing.pem",
            "OTEL_TRACES_SAMPLER": "sometimes", "OTEL_BSP_MAX_QUEUE_SIZE": "0", "OTEL_RESOURCE_ATTRIBUTES": "a=%zz",
        ]
        #expect(throws: ConfigurationError.self) { try settings(wrong) }
        for read in [
            try settings(wrong, isDisabled: true),
            try settings(wrong.merging(["OTEL_TRACES_EXPORTER": "none"]) { $1 }),
            try settings(wrong.merging(["OTEL_TRACES_EXPORTER": "zipkin"]) { $1 }, isDisabled: true),
        ] {
            #expect(read.receiver == nil)
            #expect(try read.export.receiverTLS() == nil)
        }
        #expect(throws: ConfigurationError.self) { try settings(["OTEL_TRACES_EXPORTER": "zipkin"]) }
    }

    @Test("names are the same in upper and lower case")
    func cases() throws {
        let read = try settings([
            "OTEL_TRACES_EXPORTER": "OTLP", "OTEL_TRACES_SAMPLER": "ParentBased_TraceIdRatio",
            "OTEL_TRACES_SAMPLER_ARG": "0.25", "OTEL_EXPORTER_OTLP_PROTOCOL": "gRPC",
        ])
        #expect(read.receiver != nil)
        #expect(read.sampler == Sampler("parentbased_traceidratio", share: 0.25))
        #expect(try settings(["OTEL_TRACES_EXPORTER": "None"]).receiver == nil)
    }

    @Test("a queue and a batch have bounds")
    func bounds() throws {
        let most = try settings(["OTEL_BSP_MAX_QUEUE_SIZE": "65536", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1024"])
        #expect(most.queueSpansMax == 65_536 && most.batchSpansMax == 1_024)
        #expect(throws: ConfigurationError.self) { try settings(["OTEL_BSP_MAX_QUEUE_SIZE": "65537"]) }
        #expect(throws: ConfigurationError.self) { try settings(["OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1025"]) }
    }
}
