import Contracts
import Logging
import NIOPosix
import NIOSSL
import RPC
import ServiceLifecycle
import Traces

/// What the `OTEL_` variables say, read and checked before anything is started.
struct TelemetrySettings: Sendable {
    let traces: TraceSettings
    let metrics: MetricExportSettings
    let logs: LogExportSettings
    private let tls: (traces: NIOSSLContext?, metrics: NIOSSLContext?, logs: NIOSSLContext?)

    /// Reads the files with CA certificates too.
    ///
    /// - Parameter name: the program's short name.
    /// - Throws: what can't be used, in one line that names the variable and no secret.
    init(name: String, _ settings: Settings, isDisabled: Bool) throws(ConfigurationError) {
        traces = try TraceSettings(name: name, settings, isDisabled: isDisabled)
        metrics = try MetricExportSettings(name: name, settings, isDisabled: isDisabled)
        logs = try LogExportSettings(name: name, settings, isDisabled: isDisabled)
        tls = (
            try traces.export.receiverTLS(), try metrics.export.receiverTLS(), try logs.export.receiverTLS()
        )
    }

    /// - Parameters:
    ///   - output: where the program's lines go; without one no logs are exported.
    ///   - logger: its lines must not be exported.
    func makeExporters(
        group: MultiThreadedEventLoopGroup, registry: MetricsRegistry, output: LogOutput?, logger: Logger
    ) -> Exporters {
        func client(_ receiver: ExportSettings.Receiver, _ tls: NIOSSLContext?) -> RPCClient {
            var configuration = RPCClient.Configuration(target: receiver.target, tls: tls)
            // Batches come seconds apart, and strangers may take pings in between for a flood.
            configuration.pingsWithoutCalls = false
            // The exporter retries by itself, and its last attempt at the program's end must not wait for an
            // unreachable receiver.
            configuration.connectWait = .zero
            return RPCClient(configuration: configuration, group: group, logger: logger)
        }
        var exporters = Exporters()
        if let receiver = traces.export.receiver {
            let wakeup = ExportWakeup()
            let buffer = SpanBuffer(capacity: traces.queueSpansMax, batchSize: traces.batchSpansMax) {
                wakeup.notify()
            }
            exporters.spans = buffer
            exporters.add(
                Exporter(
                    .traces, traces.export, delay: traces.delay,
                    queue: SpanQueue(
                        buffer: buffer, batchMax: traces.batchSpansMax, resource: Otlp_Resource(traces.resource)),
                    client: client(receiver, tls.traces), wakeup: wakeup, logger: logger), in: registry)
        }
        if let receiver = metrics.export.receiver {
            exporters.add(
                Exporter(
                    .metrics, metrics.export, delay: metrics.interval,
                    queue: MetricQueue(registry, resource: Otlp_Resource(metrics.resource)),
                    client: client(receiver, tls.metrics), wakeup: ExportWakeup(), logger: logger), in: registry)
        }
        if let receiver = logs.export.receiver, let output {
            let wakeup = ExportWakeup()
            let buffer = LogBuffer(
                capacity: logs.queueRecordsMax, bytesMax: LogExportSettings.queueBytesMax,
                batchSize: logs.batchRecordsMax
            ) { wakeup.notify() }
            output.tap.open(buffer)
            exporters.add(
                Exporter(
                    .logs, logs.export, delay: logs.delay,
                    queue: LogQueue(
                        buffer: buffer, batchMax: logs.batchRecordsMax, resource: Otlp_Resource(logs.resource)),
                    client: client(receiver, tls.logs), wakeup: wakeup, logger: logger), in: registry)
        }
        return exporters
    }
}

/// The exporters of a program, one for each kind of telemetry that is exported. They connect when the first batch goes
/// out.
struct Exporters: Service {
    private var services: [any Service] = []
    /// Where finished spans wait; `nil` where none are recorded.
    fileprivate(set) var spans: SpanBuffer?

    fileprivate init() {}

    var isEmpty: Bool { services.isEmpty }

    fileprivate mutating func add<Queue: ExportQueue>(_ exporter: Exporter<Queue>, in registry: MetricsRegistry) {
        exporter.register(in: registry)
        services.append(exporter)
    }

    /// Runs all of them at once, so that the program's end waits for the slowest and not for one after the other.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for service in services { group.addTask { try await service.run() } }
            try await group.waitForAll()
        }
    }
}
