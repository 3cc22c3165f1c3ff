import Runtime
import SQLiteStorage
import Storage

/// Finds ports by their codes. A service as one is added, for the tests that show what that takes; nobody ships it.
@main
struct PortService: ServiceProgram {
    static let commandName = "port-service-fixture"
    static let abstract = "The ports: port.PortService over gRPC."
    static let serviceName = "port"
    static let ownSettings: [Setting<PortService>] = [
        .toggle(flag: "seed", variable: "SEED_DATA", "store Hamburg and Rotterdam, if they are missing") {
            $0.seeds = true
        }
    ]

    var configuration = ServiceConfiguration()
    var seeds = false

    func build(_ runtime: ServiceRuntime) async throws -> ServiceParts {
        let path = try Self.path(in: configuration.storeAddress)
        let store: SQLiteStore
        do {
            store = try SQLiteStore(
                path: path, name: "ports", migrations: PortRepository.migrations, logger: runtime.logger)
        } catch {
            throw ConfigurationError("DB_HOST: \(error.message)")
        }
        let repository = PortRepository(store: store)
        return ServiceParts(
            front: runtime.rpcServer(PortHandlers(repository: repository).routes()),
            store: store, storeAddress: "SQLite, \(path)",
            prepare: {
                if seeds { try await repository.insert(PortRepository.seedPorts, deadline: .after(.seconds(10))) }
            })
    }

    /// The file that `DB_HOST` names.
    private static func path(in address: String?) throws(ConfigurationError) -> String {
        let prefix = "sqlite:"
        guard let address, address.hasPrefix(prefix) else {
            throw ConfigurationError("DB_HOST: ports are kept in SQLite alone; write sqlite:PATH")
        }
        return String(address.dropFirst(prefix.count))
    }
}
