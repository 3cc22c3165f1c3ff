import Foundation
import TestSupport
import Testing

/// What is set wrongly ends a program before it does anything, with one line that says what to change.
@Suite("Settings that can't be used", .timeLimit(.minutes(10)))
struct ConfigurationErrorTests {
    /// A password in a setting; no complaint may show it.
    static let secret = "hunter2-secret"

    struct Mistake: Sendable, CustomTestStringConvertible {
        var flags: [String] = []
        var environment: [String: String] = [:]
        /// What the complaint must name.
        var complaint: String

        var testDescription: String { (flags + environment.map { "\($0.key)=\($0.value)" }).joined(separator: " ") }
    }

    /// Mistakes that can be made with either program.
    static let commonMistakes: [Mistake] = [
        Mistake(flags: ["--no_such_flag=1"], complaint: "--no_such_flag"),
        Mistake(flags: ["surplus"], complaint: "surplus"),
        Mistake(flags: ["--log_level=loud"], complaint: "--log_level: 'loud'"),
        Mistake(environment: ["LOG_LEVEL": "loud"], complaint: "LOG_LEVEL: 'loud'"),
        Mistake(flags: ["--log_calls=some"], complaint: "--log_calls: 'some'"),
        Mistake(environment: ["LOG_CALLS": "some"], complaint: "LOG_CALLS: 'some'"),
        Mistake(flags: ["--drain_timeout=0"], complaint: "--drain_timeout: '0'"),
        Mistake(flags: ["--drain_timeout=soon"], complaint: "--drain_timeout: 'soon'"),
        Mistake(flags: ["--threads=0"], complaint: "--threads: '0'"),
        Mistake(flags: ["--overload_control=maybe"], complaint: "--overload_control: 'maybe'"),
        Mistake(environment: ["OVERLOAD_CONTROL": "true"], complaint: "OVERLOAD_CONTROL: 'true'"),
        Mistake(flags: ["--selector=consul"], complaint: "--selector: 'consul'"),
        Mistake(environment: ["MICRO_SELECTOR": "consul"], complaint: "MICRO_SELECTOR: 'consul'"),
        Mistake(flags: ["--admin_address=nowhere"], complaint: "--admin_address: 'nowhere'"),
        Mistake(environment: ["ADMIN_ADDRESS": ":99999"], complaint: "ADMIN_ADDRESS: ':99999'"),
        Mistake(flags: ["--tls_cert=/missing.pem"], complaint: "--tls_key"),
        Mistake(
            flags: ["--tls_cert=/missing.pem", "--tls_key=/missing.key"],
            complaint: "--tls_cert: can't use '/missing.pem': no such file"),
        Mistake(flags: ["--tls_ca=/etc/hostname"], complaint: "--tls_ca: "),
    ]

    /// About traces, metrics and logs; read by the same code in all programs.
    static let traceMistakes: [Mistake] = [
        Mistake(environment: ["OTEL_EXPORTER_OTLP_ENDPOINT": "jaeger"], complaint: "OTEL_EXPORTER_OTLP_ENDPOINT: "),
        Mistake(
            environment: ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:\(secret)@jaeger:4317"],
            complaint: "OTEL_EXPORTER_OTLP_ENDPOINT: "),
        Mistake(
            environment: ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://jaeger:4317/v1/traces"],
            complaint: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "),
        Mistake(
            environment: [
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://jaeger:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            ], complaint: "OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf'"),
        Mistake(
            environment: [
                "OTEL_EXPORTER_OTLP_ENDPOINT": "https://jaeger:4317",
                "OTEL_EXPORTER_OTLP_CERTIFICATE": "/missing.pem",
            ], complaint: "OTEL_EXPORTER_OTLP_CERTIFICATE: can't use '/missing.pem': no such file"),
        Mistake(environment: ["OTEL_EXPORTER_OTLP_HEADERS": secret], complaint: "OTEL_EXPORTER_OTLP_HEADERS: "),
        Mistake(
            environment: ["OTEL_EXPORTER_OTLP_HEADERS": "two words=\(secret)"],
            complaint: "OTEL_EXPORTER_OTLP_HEADERS: "),
        Mistake(environment: ["OTEL_RESOURCE_ATTRIBUTES": "a=%zz"], complaint: "OTEL_RESOURCE_ATTRIBUTES: "),
        Mistake(environment: ["OTEL_TRACES_SAMPLER": "sometimes"], complaint: "OTEL_TRACES_SAMPLER: 'sometimes'"),
        Mistake(
            environment: ["OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"],
            complaint: "OTEL_TRACES_SAMPLER_ARG: '2'"),
        Mistake(environment: ["OTEL_TRACES_EXPORTER": "zipkin"], complaint: "OTEL_TRACES_EXPORTER: 'zipkin'"),
        Mistake(environment: ["OTEL_BSP_MAX_QUEUE_SIZE": "0"], complaint: "OTEL_BSP_MAX_QUEUE_SIZE: '0'"),
        Mistake(environment: ["OTEL_BSP_SCHEDULE_DELAY": "5s"], complaint: "OTEL_BSP_SCHEDULE_DELAY: '5s'"),
        Mistake(environment: ["OTEL_METRICS_EXPORTER": "statsd"], complaint: "OTEL_METRICS_EXPORTER: 'statsd'"),
        Mistake(environment: ["OTEL_LOGS_EXPORTER": "console"], complaint: "OTEL_LOGS_EXPORTER: 'console'"),
        Mistake(environment: ["OTEL_LOGS_EXPORTER": "otlp"], complaint: "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"),
        Mistake(
            environment: [
                "OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://a:1",
                "OTEL_METRIC_EXPORT_INTERVAL": "60s",
            ], complaint: "OTEL_METRIC_EXPORT_INTERVAL: '60s'"),
        Mistake(
            environment: [
                "OTEL_LOGS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://user:\(secret)@a:1",
            ], complaint: "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: "),
        Mistake(environment: ["OTEL_SDK_DISABLED": "perhaps"], complaint: "OTEL_SDK_DISABLED: 'perhaps'"),
    ]

    static let vesselMistakes: [Mistake] = [
        Mistake(flags: ["--server_address=:http"], complaint: "--server_address: ':http'"),
        Mistake(environment: ["MICRO_SERVER_ADDRESS": "nowhere"], complaint: "MICRO_SERVER_ADDRESS: 'nowhere'"),
        Mistake(flags: ["--store_timeout=-1"], complaint: "--store_timeout: '-1'"),
        Mistake(environment: ["MAX_CONNECTION_AGE": "old"], complaint: "MAX_CONNECTION_AGE: 'old'"),
        Mistake(environment: ["SEED_DATA": "perhaps"], complaint: "SEED_DATA: 'perhaps'"),
        Mistake(environment: ["DB_HOST": "mongo:port"], complaint: "DB_HOST: "),
        Mistake(environment: ["DB_HOST": "sqlite:"], complaint: "DB_HOST: "),
        Mistake(environment: ["DB_HOST": "postgresql://localhost/shippy"], complaint: "DB_HOST: "),
        Mistake(environment: ["DB_HOST": "mongodb://"], complaint: "DB_HOST: "),
        Mistake(environment: ["DB_HOST": "mongodb://user:\(secret)@/shippy"], complaint: "DB_HOST: "),
        Mistake(environment: ["DB_HOST": "mongodb://user:\(secret)@host:port/shippy"], complaint: "DB_HOST: "),
        Mistake(environment: ["DB_HOST": "mongodb://user:pass:\(secret)@host/shippy"], complaint: "DB_HOST: "),
        Mistake(environment: ["DB_HOST": "mongodb//user:\(secret)@host/shippy"], complaint: "DB_HOST: "),
        Mistake(environment: ["DB_HOST": "mongodb://user:\(secret)@host/shippy?w=0"], complaint: "w=0"),
        Mistake(environment: ["DB_HOST": "sqlite:/dev/null/vessel.db"], complaint: "/dev/null/vessel.db"),
    ]

    static let gatewayMistakes: [Mistake] = [
        Mistake(flags: ["--address=nowhere"], complaint: "--address: 'nowhere'"),
        Mistake(environment: ["MICRO_API_ADDRESS": "nowhere"], complaint: "MICRO_API_ADDRESS: 'nowhere'"),
        Mistake(environment: ["PORT": "http"], complaint: "PORT: 'http'"),
        Mistake(flags: ["--namespace=two words"], complaint: "--namespace: 'two words'"),
        Mistake(flags: ["--handler=web"], complaint: "--handler: 'web'"),
        Mistake(environment: ["MICRO_API_HANDLER": "api"], complaint: "MICRO_API_HANDLER: 'api'"),
        Mistake(flags: ["--timeout=soon"], complaint: "--timeout: 'soon'"),
        Mistake(environment: ["VESSEL_ADDRESS": "nowhere"], complaint: "VESSEL_ADDRESS: 'nowhere'"),
        Mistake(flags: ["--static=/dev/null/folder"], complaint: "/dev/null/folder"),
        Mistake(flags: ["--services=vessel,boat"], complaint: "--services: 'vessel,boat'"),
        Mistake(environment: ["SERVICES": ","], complaint: "SERVICES: ','"),
        Mistake(flags: ["--services=email"], complaint: "--services: 'email'"),
        Mistake(flags: ["--rate_limit=0"], complaint: "--rate_limit: '0'"),
        Mistake(environment: ["RATE_LIMIT": "many"], complaint: "RATE_LIMIT: 'many'"),
        Mistake(flags: ["--trusted_proxies=0"], complaint: "--trusted_proxies: '0'"),
        Mistake(environment: ["TRUSTED_PROXIES": "10.0.0.0/40"], complaint: "TRUSTED_PROXIES: '10.0.0.0/40'"),
    ]

    static let consignmentMistakes: [Mistake] = [
        Mistake(environment: ["DB_HOST": "mongo:port"], complaint: "DB_HOST: "),
        Mistake(environment: ["DB_HOST": "postgresql://localhost/shippy"], complaint: "DB_HOST: "),
        Mistake(environment: ["DISABLE_AUTH": "perhaps"], complaint: "DISABLE_AUTH: 'perhaps'"),
        Mistake(environment: ["VESSEL_ADDRESS": "nowhere"], complaint: "VESSEL_ADDRESS: 'nowhere'"),
        Mistake(environment: ["USER_ADDRESS": "user:http"], complaint: "USER_ADDRESS: 'user:http'"),
    ]

    @Test(
        "the vessel service says in one line what is wrong", arguments: commonMistakes + traceMistakes + vesselMistakes)
    func vesselService(_ mistake: Mistake) async throws {
        try await check(mistake, try await Program.vessel(store: "sqlite:/dev/null/none"))
    }

    @Test("the gateway says in one line what is wrong", arguments: commonMistakes + gatewayMistakes)
    func gateway(_ mistake: Mistake) async throws {
        let vessel = try await Program.vessel(store: "")
        try await check(mistake, try await Program.gateway(to: vessel))
    }

    @Test("the consignment service says in one line what is wrong", arguments: commonMistakes + consignmentMistakes)
    func consignmentService(_ mistake: Mistake) async throws {
        try await check(mistake, try Program.service("consignment", store: "sqlite:/dev/null/none"))
    }

    private func check(_ mistake: Mistake, _ program: Program) async throws {
        var program = program
        // A setting under test is the only one of its kind.
        program.arguments.removeAll { argument in
            let name = argument.prefix { $0 != "=" }
            let variable = [
                "--server_address": "MICRO_SERVER_ADDRESS", "--address": "MICRO_API_ADDRESS", "--services": "SERVICES",
            ]
            return mistake.flags.contains { $0.hasPrefix(name + "=") }
                || (name == "--address" && mistake.environment["PORT"] != nil)
                || mistake.environment[variable[String(name)] ?? ""] != nil
                || (name == "--admin_address" && mistake.environment["ADMIN_ADDRESS"] != nil)
        }
        program.environment.merge(mistake.environment) { $1 }
        let run = try program.launch(mistake.flags)
        let status = try await run.status()
        #expect(status == 64 || status == 1, "\(status)")
        #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
        #expect(run.errors.hasPrefix((program.executable as NSString).lastPathComponent + ": "), "\(run.errors)")
        #expect(run.errors.contains(mistake.complaint), "\(run.errors)")
        #expect(!(run.errors + run.output).contains(Self.secret), "\(run.errors)")
    }

    @Test("an address that somebody else listens on ends either program", arguments: [true, false], [true, false])
    func addressInUse(isVessel: Bool, isAdmin: Bool) async throws {
        let folder = try TemporaryFolder()
        let first = try await Program.vessel(store: "sqlite:" + folder.file("first.db"))
        let listening = try await first.start()
        let second =
            isVessel
            ? try await Program.vessel(store: "sqlite:" + folder.file("second.db"))
            : try await Program.gateway(to: first)
        var program = second
        let flag = isAdmin ? "--admin_address" : isVessel ? "--server_address" : "--address"
        program.arguments.removeAll { $0.hasPrefix(flag + "=") }
        let run = try program.launch(["\(flag)=127.0.0.1:\(first.port)"])
        #expect(try await run.status() == 1)
        #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
        #expect(run.errors.contains("127.0.0.1:\(first.port)") && run.errors.contains("address already in use"))
        #expect(try await listening.stop() == 0)
    }
}
