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
            try settings.integer(nil, "", "OTEL_BLRP_MAX_QUEUE_SIZE", in: TraceSettings.queueRange) ?? queueRecordsMax
        batchRecordsMax = min(
            try settings.integer(nil, "", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", in: TraceSettings.batchRange)
                ?? batchRecordsMax, queueRecordsMax)
        try resource.addAttributes(settings)
    }
}
