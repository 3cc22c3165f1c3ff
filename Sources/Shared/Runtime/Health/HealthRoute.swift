import Contracts
import RPC

/// The gRPC health service, unary part, on top of ``Readiness``.
/// Source: "GRPC Health Checking Protocol".
public enum HealthRoute {
    /// - Parameter services: the full names that may be asked about, beside the empty name for the whole server.
    // text: our own names.
    public static func make(readiness: Readiness, services: Set<String>) -> RPCRoute {
        let services = Array(services.union(["", HealthMethods.service]))
        var route = RPCRoute(HealthMethods.check) { request, _ in
            // Not a set: hashing a text from outside can take quadratic time.
            guard services.contains(where: { request.service.hasSameBytes(as: $0) }) else {
                throw Status(.notFound, "this server does not know that service")
            }
            var response = Grpc_Health_V1_HealthCheckResponse()
            response.status = readiness.report().isReady ? .serving : .notServing
            return response
        }
        route.isAlwaysAnswered = true
        return route
    }
}
