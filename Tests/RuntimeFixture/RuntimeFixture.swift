import ArgumentParser
import Contracts
import RPC
import Runtime

/// A service with a store that behaves as the test asks, for tests of starting and stopping as a process.
@main
struct RuntimeFixture: ServiceProgram {
    static let configuration = CommandConfiguration(commandName: "runtime-fixture", abstract: "A service for tests.")
    static let serviceName = "fixture"

    enum StoreKind: String, ExpressibleByArgument, CaseIterable, Sendable {
        case well, absent, denying, unusable, hanging
    }

    @OptionGroup var options: ServiceOptions

    @Option(help: "How the store behaves.")
    var store = StoreKind.well

    @Flag(help: "Takes for ever to close the store.")
    var stuck = false

    func build(_ runtime: ServiceRuntime) throws -> ServiceParts {
        let route = RPCRoute(VesselMethods.findAvailable) { _, _ in Vessel_Response() }
        return ServiceParts(front: runtime.rpcServer([route]), store: FixtureStore(kind: store, isStuck: stuck))
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
