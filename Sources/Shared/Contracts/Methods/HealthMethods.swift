import RPC

/// `grpc.health.v1.Health`: every server answers it.
public enum HealthMethods {
    public static let service = "grpc.health.v1.Health"

    public static let check = Method<Grpc_Health_V1_HealthCheckRequest, Grpc_Health_V1_HealthCheckResponse>(
        service: service, name: "Check", isIdempotent: true, isProbe: true)
}
