import RPC
import Traces

/// What the `OTEL_` variables say about traces.
/// Source: OpenTelemetry specification, "Environment Variable Specification" and "OTLP Exporter Configuration".
public struct TraceSettings: Sendable {
    /// Where spans go.
    struct Receiver: Sendable, Equatable {
        var target: HostPort
        var isEncrypted: Bool
    }

    /// `nil` records nothing.
    var receiver: Receiver?
    var sampler = Sampler.standard
    /// Sent along with every batch; may hold secrets.
    var headers: Metadata = [:]
    /// For one try to send a batch.
    var timeout: Duration = .seconds(10)
    /// How long a span waits at most for others to go with.
    var delay: Duration = .seconds(5)
    /// Spans that wait at most; further ones are dropped and counted.
    var queueSpansMax = 2_048
    /// Spans that are sent at once at most.
    var batchSpansMax = 512
    /// The program and where it runs, in order; `service.name` is the first.
    var resource: [(name: String, value: String)]
    /// A PEM file with the authorities that may vouch for the receiver; `nil` for the system's.
    var authorities: String?

    /// Taking a batch moves the rest of the queue, and whoever ends a span meanwhile waits for that.
    static let queueRange = 1...65_536
    /// At about 2 KiB for a span, a batch must fit into a message of 4 MiB, which is what receivers take.
    static let batchRange = 1...1_024
    static let resourceAttributesMax = 128

    /// - Parameter name: the program's short name.
    /// - Throws: what can't be used, in one line that names the variable and no secret.
    init(name: String, _ settings: Settings, isDisabled: Bool) throws(ConfigurationError) {
        resource = [
            ("service.name", settings.variable("OTEL_SERVICE_NAME") ?? "shippy-\(name)"),
            ("telemetry.sdk.name", "shippy"),
            ("telemetry.sdk.language", "swift"),
        ]
        // What is switched off keeps no program from starting, whatever else is said about it.
        if isDisabled { return }
        guard try Self.isExported(settings) else { return }
        sampler = try Self.sampler(settings)
        receiver = try Self.receiver(settings)
        headers = try Self.headers(settings)
        timeout =
            try Self.milliseconds(settings, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
            ?? timeout
        delay = try Self.milliseconds(settings, "OTEL_BSP_SCHEDULE_DELAY") ?? delay
        queueSpansMax =
            try settings.integer(nil, "", "OTEL_BSP_MAX_QUEUE_SIZE", in: Self.queueRange) ?? queueSpansMax
        batchSpansMax = min(
            try settings.integer(nil, "", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", in: Self.batchRange) ?? batchSpansMax,
            queueSpansMax)
        authorities =
            settings.variable("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE")
            ?? settings.variable("OTEL_EXPORTER_OTLP_CERTIFICATE")
        try addResource(settings, nameIsSet: settings.variable("OTEL_SERVICE_NAME") != nil)
    }

    private static func isExported(_ settings: Settings) throws(ConfigurationError) -> Bool {
        guard let name = settings.variable("OTEL_TRACES_EXPORTER") else { return true }
        switch name.lowercased() {
        case "otlp": return true
        case "none": return false
        default: throw ConfigurationError("OTEL_TRACES_EXPORTER: '\(name)' is not an exporter; write otlp or none")
        }
    }

    private static func sampler(_ settings: Settings) throws(ConfigurationError) -> Sampler {
        let text = settings.variable("OTEL_TRACES_SAMPLER") ?? "parentbased_always_on"
        let name = text.lowercased()
        guard Sampler.names.contains(name) else {
            throw ConfigurationError(
                "OTEL_TRACES_SAMPLER: '\(text)' is not a sampler; known are \(Sampler.names.joined(separator: ", "))")
        }
        let argument = settings.variable("OTEL_TRACES_SAMPLER_ARG")
        guard name.hasSuffix("ratio"), let argument else { return Sampler(name) ?? .standard }
        guard let share = Double(argument), let sampler = Sampler(name, share: share) else {
            throw ConfigurationError(
                "OTEL_TRACES_SAMPLER_ARG: '\(argument)' is not a share of all traces; write 0 to 1, such as 0.01")
        }
        return sampler
    }

    private static func receiver(_ settings: Settings) throws(ConfigurationError) -> Receiver? {
        for variable in ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
            guard let text = settings.variable(variable) else { continue }
            guard let receiver = Receiver(url: text) else {
                throw ConfigurationError(
                    "\(variable): it is not http://HOST:PORT or https://HOST:PORT, such as http://jaeger:4317")
            }
            try checkProtocol(settings)
            return receiver
        }
        return nil
    }

    private static func checkProtocol(_ settings: Settings) throws(ConfigurationError) {
        for variable in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
            guard let name = settings.variable(variable) else { continue }
            // The first one that is set counts: the other is about what is not traces.
            if name.lowercased() == "grpc" { return }
            throw ConfigurationError("\(variable): '\(name)' is not spoken here; the only one is grpc")
        }
    }

    private static func headers(_ settings: Settings) throws(ConfigurationError) -> Metadata {
        let variable =
            ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"].first { settings.variable($0) != nil }
        guard let variable, let text = settings.variable(variable) else { return [:] }
        var headers = Metadata()
        for (name, value) in try pairs(text, variable) {
            let name = name.lowercased()
            guard name.utf8.allSatisfy(Self.isHeaderByte), value.utf8.allSatisfy({ $0 >= 0x20 && $0 <= 0x7e }) else {
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

    private mutating func addResource(_ settings: Settings, nameIsSet: Bool) throws(ConfigurationError) {
        let variable = "OTEL_RESOURCE_ATTRIBUTES"
        guard let text = settings.variable(variable) else { return }
        for (name, value) in try Self.pairs(text, variable) {
            if let index = resource.firstIndex(where: { $0.name == name }) {
                if index > 0 || !nameIsSet { resource[index].value = value }
            } else {
                resource.append((name, value))
            }
        }
        guard resource.count <= Self.resourceAttributesMax else {
            throw ConfigurationError("\(variable): more than \(Self.resourceAttributesMax) attributes")
        }
    }

    /// `a=b,c=d`, percent-encoded (W3C Baggage). The text may hold secrets, so it is not repeated.
    private static func pairs(
        _ text: String, _ variable: String
    ) throws(ConfigurationError) -> [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        for member in text.split(separator: ",") {
            let parts = member.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = PercentText.decode(parts[0]), !name.isEmpty,
                let value = PercentText.decode(parts[1])
            else {
                throw ConfigurationError("\(variable): it is not NAME=VALUE,NAME=VALUE")
            }
            pairs.append((name, value))
        }
        return pairs
    }

    private static func milliseconds(
        _ settings: Settings, _ variables: String...
    ) throws(ConfigurationError) -> Duration? {
        for variable in variables {
            if let number = try settings.integer(nil, "", variable, in: 1...86_400_000) {
                return .milliseconds(number)
            }
        }
        return nil
    }
}

extension TraceSettings.Receiver {
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
