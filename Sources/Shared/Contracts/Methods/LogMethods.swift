import RPC

/// Where OpenTelemetry's collectors take logs.
public enum LogMethods {
    /// Not idempotent: a line that is sent twice is there twice.
    public static let export = Method<Otlp_ExportLogsRequest, Otlp_ExportResponse>(
        service: "opentelemetry.proto.collector.logs.v1.LogsService", name: "Export")
}
