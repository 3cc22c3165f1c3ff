import Traces

/// What the `OTEL_` variables say about traces.
/// Source: OpenTelemetry specification, "Environment Variable Specification".
public struct TraceSettings: Sendable {
    /// Without a receiver nothing is recorded.
    var export = ExportSettings()
    var sampler = Sampler.standard
    /// How long a span waits at most for others to go with.
    var delay: Duration = .seconds(5)
    /// Spans that wait at most; further ones are dropped and counted.
    var queueSpansMax = 2_048
    /// Spans that are sent at once at most.
    var batchSpansMax = 512
    var resource: TelemetryResource

    /// Taking a batch moves the rest of the queue, and a thread that ends a span meanwhile waits for that.
    static let queueRange = 1...65_536
    /// At about 2 KiB for a span, a batch must fit into a message of 4 MiB, which is what receivers take.
    static let batchRange = 1...1_024

    /// - Parameter name: the program's short name.
    /// - Throws: what can't be used, in one line that names the variable and no secret.
    init(name: String, _ settings: Settings, isDisabled: Bool) throws(ConfigurationError) {
        resource = TelemetryResource(name: name, settings)
        // What is switched off keeps no program from starting, whatever else is said about it.
        if isDisabled { return }
        guard try ExportSettings.isAsked(for: .traces, settings, default: true) else { return }
        sampler = try Self.sampler(settings)
        export = try ExportSettings(.traces, settings)
        delay = try ExportSettings.milliseconds(settings, ["OTEL_BSP_SCHEDULE_DELAY"]) ?? delay
        queueSpansMax =
            try settings.value("OTEL_BSP_MAX_QUEUE_SIZE", .integer(Self.queueRange)) ?? queueSpansMax
        batchSpansMax = min(
            try settings.value("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", .integer(Self.batchRange)) ?? batchSpansMax,
            queueSpansMax)
        try resource.addAttributes(settings)
    }

    /// Where spans go.
    var receiver: ExportSettings.Receiver? { export.receiver }

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
}
