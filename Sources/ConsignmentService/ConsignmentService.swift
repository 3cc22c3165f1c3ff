import ArgumentParser
import LeasedQueue
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
        let booker = Booker(
            repository: consignments.repository, vessels: try runtime.client(of: "vessel"), counts: BookingCounts())
        let pending = PendingWatch(consignments.repository, logger: runtime.logger)
        let worker = BookingWorker.make(booker, tracer: runtime.tracer, logger: runtime.logger)
        booker.counts.register(in: runtime.metrics, worker: worker.counts, pending: pending)
        let handlers = ConsignmentHandlers(booker: booker) { worker.wakeup.notify() }
        runtime.watchPools(of: consignments.store)
        return ServiceParts(
            front: runtime.rpcServer(handlers.routes(authenticator: try runtime.authenticator())),
            store: PooledStore(consignments.store, address: consignments.description),
            background: [worker, pending])
    }
}
