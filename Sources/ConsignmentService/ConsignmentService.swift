import ArgumentParser
import Runtime
import Storage

/// Books consignments onto vessels and lists them.
@main
struct ConsignmentService: ServiceProgram {
    static let configuration = CommandConfiguration(
        commandName: "shippy-consignment-service",
        abstract: "The consignments: consignment.ConsignmentService over gRPC.")
    static let serviceName = "consignment"

    @OptionGroup var options: ServiceOptions

    func build(_ runtime: ServiceRuntime) async throws -> ServiceParts {
        let consignments: ConsignmentStore
        do {
            consignments = try ConsignmentStore(address: runtime.settings.variable("DB_HOST"), logger: runtime.logger)
        } catch {
            throw ConfigurationError("DB_HOST: \(error.message)")
        }
        let handlers = ConsignmentHandlers(
            repository: consignments.repository, vessels: try runtime.client(of: "vessel"))
        runtime.watchPools(of: consignments.store)
        return ServiceParts(
            front: runtime.rpcServer(handlers.routes(callers: try runtime.authenticator())),
            store: PooledStore(consignments.store, address: consignments.description))
    }
}
