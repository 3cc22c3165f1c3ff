import Contracts
import RPC
import Runtime

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
        return ServiceParts(front: runtime.rpcServer([route]), store: FixtureStore(kind: store, isStuck: isStuck))
    }
}

private struct FixtureStore: StoreLifecycle {
    let kind: RuntimeFixture.StoreKind
    let isStuck: Bool
    var storeAddress: String { "fixture:1" }

    private struct Absent: Error, CustomStringConvertible {
        let description = "nobody listens"
    }

    func open() async throws {
        switch kind {
        case .well: return
        case .absent: throw Absent()
        case .denying: throw StorePermanentFailure("wrong password", hasGracePeriod: true)
        case .unusable: throw StorePermanentFailure("not a database")
        case .hanging: try await Task.sleep(for: .seconds(86_400))
        }
    }

    func check() async -> String? { nil }

    func close() async {
        if isStuck { try? await Task.sleep(for: .seconds(86_400)) }
    }
}
