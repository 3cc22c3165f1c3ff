import RPC

/// `vessel.VesselService`: the vessels, what they carry, and what is booked on them.
public enum VesselMethods {
    public static let service = "vessel.VesselService"

    public static let create = Method<Vessel_Vessel, Vessel_Response>(service: service, name: "Create")
    public static let findAvailable = Method<Vessel_Specification, Vessel_Response>(
        service: service, name: "FindAvailable", isIdempotent: true)
    /// One vessel by its id.
    public static let get = Method<Vessel_GetRequest, Vessel_Response>(
        service: service, name: "Get", isIdempotent: true)
    /// A page of all vessels, in the order of their ids.
    public static let list = Method<Vessel_ListRequest, Vessel_Response>(
        service: service, name: "List", isIdempotent: true)
    /// Changes what the mask names; needs a token.
    public static let update = Method<Vessel_UpdateRequest, Vessel_Response>(
        service: service, name: "Update", isIdempotent: true)

    // For the consignment service, not for callers of the gateway.

    /// Books room on the tightest fit, once for each consignment.
    public static let reserve = Method<Vessel_Reservation, Vessel_Response>(
        service: service, name: "Reserve", isIdempotent: true)
    /// Gives a consignment's room back, once.
    public static let release = Method<Vessel_Reservation, Vessel_Response>(
        service: service, name: "Release", isIdempotent: true)
}

/// `consignment.ConsignmentService`: what is shipped, for whom, on which vessel.
public enum ConsignmentMethods {
    public static let service = "consignment.ConsignmentService"

    public static let create = Method<Consignment_Consignment, Consignment_Response>(
        service: service, name: "Create")
    public static let get = Method<Consignment_GetRequest, Consignment_Response>(
        service: service, name: "Get", isIdempotent: true)
    /// Cancels a booking and gives its room back; needs a token.
    public static let cancel = Method<Consignment_CancelRequest, Consignment_Response>(
        service: service, name: "Cancel", isIdempotent: true)
}

/// `user.UserService`: people and their tokens. Also answers as `auth.Auth`.
public enum UserMethods {
    public static let service = "user.UserService"
    public static let alias = "auth.Auth"

    public static let create = Method<User_User, User_Response>(service: service, name: "Create")
    public static let get = Method<User_User, User_Response>(service: service, name: "Get", isIdempotent: true)
    public static let getAll = Method<User_Request, User_Response>(
        service: service, name: "GetAll", isIdempotent: true)
    public static let auth = Method<User_User, User_Token>(service: service, name: "Auth", isIdempotent: true)
    public static let validateToken = Method<User_Token, User_Token>(
        service: service, name: "ValidateToken", isIdempotent: true)
}

/// `email.EmailService`: internal, never behind the gateway.
public enum EmailMethods {
    public static let service = "email.EmailService"

    public static let process = Method<Email_UserCreated, Email_Response>(
        service: service, name: "Process", isIdempotent: true)
    public static let get = Method<Email_GetRequest, Email_Response>(
        service: service, name: "Get", isIdempotent: true)
}

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
