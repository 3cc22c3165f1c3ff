import Contracts
import RPC
import Runtime
import Storage

/// A service with a store that behaves as the test asks, for tests of starting and stopping as a process.
@main
struct RuntimeFixture: ServiceProgram {
    static let commandName = "runtime-fixture"
    static let abstract = "A service for tests."
    static let serviceName = "fixture"
    static let ownSettings: [Setting<RuntimeFixture>] = [
        Setting(flag: "store", takes: "kind", storeKind, default: "well", "how the store behaves") { $0.store = $1 },
        .toggle(flag: "stuck", "takes for ever to close the store") { $0.isStuck = true },
        .toggle(flag: "seed", variable: "SEED_DATA", "does nothing") { $0.seeds = true },
    ]

    enum StoreKind: String, Sendable {
        case well, absent, denying, unusable, hanging
    }

    private static let storeKind = ValueParser<StoreKind>(complaint: "is no kind of store") { StoreKind(rawValue: $0) }

    var configuration = ServiceConfiguration()
    var store = StoreKind.well
    var isStuck = false
    var seeds = false

    func build(_ runtime: ServiceRuntime) throws -> ServiceParts {
        let route = RPCRoute(VesselMethods.findAvailable) { _, _ in Vessel_Response() }
        return ServiceParts(
            front: runtime.rpcServer([route]), store: FixtureStore(kind: store, isStuck: isStuck),
            storeAddress: "fixture:1")
    }
}

private struct FixtureStore: Store {
    let kind: RuntimeFixture.StoreKind
    let isStuck: Bool

    func start() {}

    func shutdown() async {
        if isStuck { try? await Task.sleep(for: .seconds(86_400)) }
    }

    var isReady: Bool { kind == .well }
    var lastError: String? { kind == .absent ? "nobody listens" : permanentFailure?.message }

    var permanentFailure: StorageError? {
        switch kind {
        case .well, .absent, .hanging: nil
        case .denying: StorageError(.accessDenied, "wrong password")
        case .unusable: StorageError(.unusable, "not a database")
        }
    }

    var statistics: [PoolStatistics] { [] }
}
