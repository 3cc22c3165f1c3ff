import RPC

/// Where OpenTelemetry's collectors take metrics.
public enum MetricMethods {
    /// Idempotent, as values are cumulative and carry their times.
    public static let export = Method<Otlp_ExportMetricsRequest, Otlp_ExportResponse>(
        service: "opentelemetry.proto.collector.metrics.v1.MetricsService", name: "Export", isIdempotent: true)
}
