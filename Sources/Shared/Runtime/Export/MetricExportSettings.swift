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
