import Contracts
import Idempotency
import Logging
import MongoStorage
import RPC
import Runtime
import TestSupport
import Testing

@testable import VesselService

/// The stores that every repository test runs against.
enum StoreKind: String, CaseIterable, CustomTestStringConvertible {
    case sqlite
    case mongo

    var testDescription: String { rawValue }
}

/// Lends an empty store of a kind.
func withVessels(_ kind: StoreKind, _ body: (VesselStore) async throws -> Void) async throws {
    let folder = try TemporaryFolder()
    let address =
        switch kind {
        case .sqlite: "sqlite:\(folder.file("vessels.sqlite"))"
        case .mongo: try await MongoServer.shared.value.uri()
        }
    try await withVessels(at: address, body)
}

/// Lends the store at an address.
func withVessels(at address: String, threads: Int = 4, _ body: (VesselStore) async throws -> Void) async throws {
    let vessels = try VesselStore(address: address, threads: threads, logger: Logger(label: "test"))
    try vessels.store.start()
    #expect(await eventually(within: .seconds(30)) { vessels.store.isReady }, "\(vessels.store.lastError ?? "")")
    do { try await body(vessels) } catch {
        await vessels.store.shutdown()
        throw error
    }
    await vessels.store.shutdown()
}

func vessel(_ id: String = "", capacity: Int32 = 10, maxWeight: Int32 = 1_000, name: String = "Test") -> Vessel_Vessel {
    .with {
        $0.id = id
        $0.name = name
        $0.capacity = capacity
        $0.maxWeight = maxWeight
        $0.available = true
    }
}

/// The rules on a store, where everybody is let in.
func vesselHandlers(_ vessels: VesselStore) -> VesselHandlers {
    VesselHandlers(repository: vessels.repository, authenticator: Authenticator(users: nil))
}

extension VesselRepository {
    func tightestFit(_ containers: Int32, _ weight: Int32) async throws -> Vessel_Vessel? {
        try await tightestFit(Room(containers: containers, weight: weight), deadline: .never)
    }

    func reserve(_ containers: Int32, _ weight: Int32, for id: String) async throws -> Vessel_Vessel? {
        try await reserve(Room(containers: containers, weight: weight), for: id, deadline: .after(.seconds(60)))
    }

    func all() async throws -> [Vessel_Vessel] {
        try await page(after: nil, limit: 10_000, deadline: .after(.seconds(60)))
    }
}

func context(key: String? = nil, token: String? = nil) -> RequestContext {
    var metadata = Metadata()
    if let key { metadata.add("idempotency-key", key) }
    if let token { metadata.add("authorization", "Bearer \(token)") }
    return RequestContext(
        path: VesselMethods.create.path, metadata: metadata, deadline: .after(.seconds(30)), peer: "test")
}

func specification(_ capacity: Int32, _ maxWeight: Int32) -> Vessel_Specification {
    .with {
        $0.capacity = capacity
        $0.maxWeight = maxWeight
    }
}

/// The status that `body` fails with; `ok` when it does not.
func status(of body: () async throws -> some Any) async -> Status {
    do {
        _ = try await body()
        return .ok
    } catch { return Status(error) }
}
