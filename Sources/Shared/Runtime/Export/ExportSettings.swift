import NIOSSL
import RPC

/// A kind of telemetry.
enum TelemetrySignal: String, Sendable {
    case traces, metrics, logs

    /// As in the names of variables.
    var variablePart: String { rawValue.uppercased() }

    /// Of the metrics about its export.
    var metricPrefix: String {
        switch self {
        case .traces: "traces_spans"
        case .metrics: "metrics_points"
        case .logs: "logs_records"
        }
    }

    /// What is counted, for help texts.
    var items: String {
        switch self {
        case .traces: "Spans"
        case .metrics: "Data points"
        case .logs: "Lines of the log"
        }
    }
}

/// Where one kind of telemetry goes, and how: what the `OTEL_EXPORTER_OTLP_` variables say, of which those for this
/// kind win over those for all kinds.
/// Source: OpenTelemetry specification, "Environment Variable Specification" and "OTLP Exporter Configuration".
struct ExportSettings: Sendable {
    /// A collector.
    struct Receiver: Sendable, Equatable {
        var target: HostPort
        var isEncrypted: Bool
    }

    /// `nil` exports nothing.
    var receiver: Receiver?
    /// Sent along with every batch; may hold secrets.
    var headers: Metadata = [:]
    /// For one try to send a batch.
    var timeout: Duration = .seconds(10)
    /// A PEM file with the CA certificates that verify the receiver, and the variable that names it; `nil` for the
    /// system's.
    var authorities: (path: String, variable: String)?

    /// Nothing is exported.
    init() {}

    /// - Throws: what can't be used, in one line that names the variable and no secret.
    init(_ signal: TelemetrySignal, _ settings: Settings) throws(ConfigurationError) {
        receiver = try Self.receiver(signal, settings)
        headers = try Self.headers(signal, settings)
        timeout = try Self.milliseconds(settings, Self.variables(signal, "TIMEOUT")) ?? timeout
        for variable in Self.variables(signal, "CERTIFICATE") {
            guard let path = settings.variable(variable) else { continue }
            authorities = (path, variable)
            return
        }
    }

    /// Whether `OTEL_…_EXPORTER` asks for an export.
    ///
    /// - Parameter standard: what it is when the variable is not set.
    static func isAsked(
        for signal: TelemetrySignal, _ settings: Settings, default standard: Bool
    ) throws(ConfigurationError) -> Bool {
        let variable = "OTEL_\(signal.variablePart)_EXPORTER"
        guard let name = settings.variable(variable) else { return standard }
        switch name.lowercased() {
        case "otlp": return true
        case "none": return false
        default: throw ConfigurationError("\(variable): '\(name)' is not an exporter; write otlp or none")
        }
    }

    /// The settings of a kind of telemetry that is exported only when it is asked for; `nil` when it is not.
    static func optIn(
        _ signal: TelemetrySignal, _ settings: Settings
    ) throws(ConfigurationError) -> ExportSettings? {
        guard try isAsked(for: signal, settings, default: false) else { return nil }
        let export = try ExportSettings(signal, settings)
        guard export.receiver != nil else {
            let variables = Self.variables(signal, "ENDPOINT").joined(separator: " or ")
            throw ConfigurationError(
                "OTEL_\(signal.variablePart)_EXPORTER: otlp needs a collector; say where it is in \(variables)")
        }
        return export
    }

    /// Milliseconds in the first of these variables that is set.
    static func milliseconds(
        _ settings: Settings, _ variables: [String]
    ) throws(ConfigurationError) -> Duration? {
        for variable in variables {
            if let time = try settings.value(variable, .milliseconds) { return time }
        }
        return nil
    }

    /// The variable for this kind, and the one for all.
    private static func variables(_ signal: TelemetrySignal, _ ending: String) -> [String] {
        ["OTEL_EXPORTER_OTLP_\(signal.variablePart)_\(ending)", "OTEL_EXPORTER_OTLP_\(ending)"]
    }

    private static func receiver(
        _ signal: TelemetrySignal, _ settings: Settings
    ) throws(ConfigurationError) -> Receiver? {
        for variable in variables(signal, "ENDPOINT") {
            guard let text = settings.variable(variable) else { continue }
            guard let receiver = Receiver(url: text) else {
                throw ConfigurationError(
                    "\(variable): it is not http://HOST:PORT or https://HOST:PORT, such as http://jaeger:4317")
            }
            try checkProtocol(signal, settings)
            return receiver
        }
        return nil
    }

    private static func checkProtocol(_ signal: TelemetrySignal, _ settings: Settings) throws(ConfigurationError) {
        for variable in variables(signal, "PROTOCOL") {
            guard let name = settings.variable(variable) else { continue }
            // The first one that is set counts: the other is about other kinds.
            if name.lowercased() == "grpc" { return }
            throw ConfigurationError("\(variable): '\(name)' is not spoken here; the only one is grpc")
        }
    }

    private static func headers(
        _ signal: TelemetrySignal, _ settings: Settings
    ) throws(ConfigurationError) -> Metadata {
        let variable = variables(signal, "HEADERS").first { settings.variable($0) != nil }
        guard let variable else { return [:] }
        var headers = Metadata()
        for (name, value) in try settings.pairs(variable) {
            let name = name.lowercased()
            guard name.utf8.allSatisfy(Self.isHeaderByte), value.isPrintableASCII else {
                throw ConfigurationError("\(variable): a name or a value can't be in a header")
            }
            headers.add(name, value)
        }
        return headers
    }

    private static func isHeaderByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

extension ExportSettings {
    /// The TLS towards the collector, or `nil` for plaintext. Reads the file of its authorities.
    ///
    /// - Throws: ``ConfigurationError`` when the file is missing or no PEM.
    func receiverTLS() throws(ConfigurationError) -> NIOSSLContext? {
        guard let receiver, receiver.isEncrypted else { return nil }
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2"]
        if let authorities {
            let roots = try TLSFiles.load(authorities.variable, authorities.path) {
                try NIOSSLCertificate.fromPEMFile($0)
            }
            guard !roots.isEmpty else {
                throw ConfigurationError("\(authorities.variable): no certificate in '\(authorities.path)'")
            }
            configuration.trustRoots = .certificates(roots)
        }
        let variable = authorities?.variable ?? "OTEL_EXPORTER_OTLP_CERTIFICATE"
        return try TLSFiles.context(configuration, "\(variable): TLS can't be set up")
    }
}

extension ExportSettings.Receiver {
    /// `http://HOST:PORT` or `https://HOST:PORT`; a path may only be `/`, as gRPC has its own. `nil` for anything else.
    init?(url: String) {
        var rest = url[...]
        if rest.lowercased().hasPrefix("http://") {
            isEncrypted = false
            rest = rest.dropFirst("http://".count)
        } else if rest.lowercased().hasPrefix("https://") {
            isEncrypted = true
            rest = rest.dropFirst("https://".count)
        } else {
            return nil
        }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard let target = HostPort(String(rest)), !target.host.isEmpty, target.port != 0 else { return nil }
        self.target = target
    }
}

/// What the `OTEL_` variables say about the export of metrics, which is off unless it is asked for.
/// Source: OpenTelemetry specification, "Environment Variable Specification".
struct MetricExportSettings: Sendable {
    /// Without a receiver nothing is exported.
    var export = ExportSettings()
    /// From one export to the next.
    var interval: Duration = .seconds(60)
    var resource: TelemetryResource

    /// - Parameter name: the program's short name.
    /// - Throws: what can't be used, in one line that names the variable and no secret.
    init(name: String, _ settings: Settings, isDisabled: Bool) throws(ConfigurationError) {
        resource = TelemetryResource(name: name, settings)
        guard !isDisabled, let export = try ExportSettings.optIn(.metrics, settings) else { return }
        self.export = export
        interval = try ExportSettings.milliseconds(settings, ["OTEL_METRIC_EXPORT_INTERVAL"]) ?? interval
        try resource.addAttributes(settings)
    }
}

/// What the `OTEL_` variables say about the export of logs, which is off unless it is asked for.
/// Source: OpenTelemetry specification, "Environment Variable Specification".
struct LogExportSettings: Sendable {
    /// Without a receiver nothing is exported.
    var export = ExportSettings()
    /// How long a line waits at most for others to go with.
    var delay: Duration = .seconds(1)
    /// Lines that wait at most; further ones are dropped from the export and counted.
    var queueRecordsMax = 2_048
    /// Lines that are sent at once at most.
    var batchRecordsMax = 512
    var resource: TelemetryResource

    /// Bytes of lines that wait at most, about: one line may be as long as thirty others.
    static let queueBytesMax = 8 << 20
    /// Bytes of lines that are sent at once at most, about: a batch must fit into a message of 4 MiB, which is what
    /// receivers take.
    static let batchBytesMax = 1 << 20

    /// - Parameter name: the program's short name.
    /// - Throws: what can't be used, in one line that names the variable and no secret.
    init(name: String, _ settings: Settings, isDisabled: Bool) throws(ConfigurationError) {
        resource = TelemetryResource(name: name, settings)
        guard !isDisabled, let export = try ExportSettings.optIn(.logs, settings) else { return }
        self.export = export
        delay = try ExportSettings.milliseconds(settings, ["OTEL_BLRP_SCHEDULE_DELAY"]) ?? delay
        queueRecordsMax =
            try settings.value("OTEL_BLRP_MAX_QUEUE_SIZE", .integer(TraceSettings.queueRange)) ?? queueRecordsMax
        batchRecordsMax = min(
            try settings.value("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", .integer(TraceSettings.batchRange))
                ?? batchRecordsMax, queueRecordsMax)
        try resource.addAttributes(settings)
    }
}
