import Runtime
import Storage

/// Stores vessels and finds the one that carries what is asked for.
@main
struct VesselService: ServiceProgram {
    static let commandName = "shippy-vessel-service"
    static let abstract = "The vessels: vessel.VesselService over gRPC."
    static let serviceName = "vessel"
    static let ownSettings: [Setting<VesselService>] = [
        .toggle(
            flag: "seed", variable: "SEED_DATA",
            "store `vessel001` and the larger `vessel002` and `vessel003`, if they are missing"
        ) { $0.seeds = true },
        .toggle(flag: "require_token", variable: "REQUIRE_TOKEN", "storing a vessel needs a token") {
            $0.requiresToken = true
        },
        .disableAuth,
    ]

    var configuration = ServiceConfiguration()
    var seeds = false
    var requiresToken = false

    func build(_ runtime: ServiceRuntime) async throws -> ServiceParts {
        let vessels: VesselStore
        do {
            vessels = try VesselStore(address: configuration.storeAddress, logger: runtime.logger)
        } catch {
            throw ConfigurationError("DB_HOST: \(error.message)")
        }
        let handlers = VesselHandlers(
            repository: vessels.repository, authenticator: try runtime.authenticator(),
            requiresToken: requiresToken)
        let maintenance = RoomMaintenance(repository: vessels.repository, logger: runtime.logger)
        maintenance.register(in: runtime.metrics)
        return ServiceParts(
            front: runtime.rpcServer(handlers.routes()),
            store: vessels.store, storeAddress: vessels.description,
            background: [maintenance],
            prepare: {
                if seeds { try await handlers.seed(deadline: .after(.seconds(10))) }
            })
    }
}
