import RPC

// The methods of our own services are generated from Protos/; here are those that others define.

/// `grpc.health.v1.Health`: every server answers it.
public enum HealthMethods {
    public static let service = "grpc.health.v1.Health"

    public static let check = Method<Grpc_Health_V1_HealthCheckRequest, Grpc_Health_V1_HealthCheckResponse>(
        service: service, name: "Check", isIdempotent: true, isProbe: true)
}

/// Where OpenTelemetry's collectors take spans.
public enum TraceMethods {
    /// Idempotent, as collectors know spans by their ids.
    public static let export = Method<Otlp_ExportRequest, Otlp_ExportResponse>(
        service: "opentelemetry.proto.collector.trace.v1.TraceService", name: "Export", isIdempotent: true)
}

/// Where OpenTelemetry's collectors take metrics.
public enum MetricMethods {
    /// Idempotent, as values are cumulative and carry their times.
    public static let export = Method<Otlp_ExportMetricsRequest, Otlp_ExportResponse>(
        service: "opentelemetry.proto.collector.metrics.v1.MetricsService", name: "Export", isIdempotent: true)
}

/// Where OpenTelemetry's collectors take logs.
public enum LogMethods {
    /// Not idempotent: a line that is sent twice is there twice.
    public static let export = Method<Otlp_ExportLogsRequest, Otlp_ExportResponse>(
        service: "opentelemetry.proto.collector.logs.v1.LogsService", name: "Export")
}
