import RPC

/// Where OpenTelemetry's collectors take spans.
public enum TraceMethods {
    /// Idempotent, as collectors know spans by their ids.
    public static let export = Method<Otlp_ExportRequest, Otlp_ExportResponse>(
        service: "opentelemetry.proto.collector.trace.v1.TraceService", name: "Export", isIdempotent: true)
}
