import ArgumentParser
import Runtime
import Storage

/// Stores vessels and finds the one that carries what is asked for.
@main
struct VesselService: ServiceProgram {
    static let configuration = CommandConfiguration(
        commandName: "shippy-vessel-service", abstract: "The vessels: vessel.VesselService over gRPC.")
    static let serviceName = "vessel"

    @OptionGroup var options: ServiceOptions

    @Flag(name: .customLong("seed"), help: "Make sure that vessel001, vessel002 and vessel003 exist. [SEED_DATA=true]")
    var seed = false

    @Flag(name: .customLong("require_token"), help: "Store vessels only for users. [REQUIRE_TOKEN=true]")
    var requiresToken = false

    func build(_ runtime: ServiceRuntime) async throws -> ServiceParts {
        let vessels: VesselStore
        do {
            vessels = try VesselStore(address: runtime.settings.variable("DB_HOST"), logger: runtime.logger)
        } catch {
            throw ConfigurationError("DB_HOST: \(error.message)")
        }
        let handlers = VesselHandlers(
            repository: vessels.repository, authenticator: try runtime.authenticator(),
            requiresToken: try runtime.settings.boolean(requiresToken, "REQUIRE_TOKEN"))
        let seeds = try runtime.settings.boolean(seed, "SEED_DATA")
        let maintenance = RoomMaintenance(repository: vessels.repository, logger: runtime.logger)
        maintenance.register(in: runtime.metrics)
        runtime.watchPools(of: vessels.store)
        return ServiceParts(
            front: runtime.rpcServer(handlers.routes()),
            store: PooledStore(vessels.store, address: vessels.description),
            background: [maintenance],
            prepare: {
                if seeds { try await handlers.seed(deadline: .after(.seconds(10))) }
            })
    }
}
