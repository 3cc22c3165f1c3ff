import LeasedQueue
import Runtime
import Storage

/// Books consignments onto vessels and lists them.
@main
struct ConsignmentService: ServiceProgram {
    static let commandName = "shippy-consignment-service"
    static let abstract = "The consignments: consignment.ConsignmentService over gRPC."
    static let serviceName = "consignment"
    static let ownSettings: [Setting<ConsignmentService>] = [.disableAuth]

    var configuration = ServiceConfiguration()

    func build(_ runtime: ServiceRuntime) async throws -> ServiceParts {
        let consignments: ConsignmentStore
        do {
            consignments = try ConsignmentStore(address: configuration.storeAddress, logger: runtime.logger)
        } catch {
            throw ConfigurationError("DB_HOST: \(error.message)")
        }
        let booker = Booker(
            repository: consignments.repository, vessels: try runtime.client(of: "vessel"), counts: BookingCounts())
        let pending = PendingWatch(consignments.repository, logger: runtime.logger)
        let worker = BookingWorker.make(booker, tracer: runtime.tracer, logger: runtime.logger)
        booker.counts.register(in: runtime.metrics, worker: worker.counts, pending: pending)
        let handlers = ConsignmentHandlers(booker: booker) { worker.wakeup.notify() }
        return ServiceParts(
            front: runtime.rpcServer(handlers.routes(authenticator: try runtime.authenticator())),
            store: consignments.store, storeAddress: consignments.description,
            background: [worker, pending])
    }
}
