import Foundation
import TestSupport

/// The two programs, as they stand in every test here: callers, gateway, vessel service, store.
struct Fleet {
    let vessel: Program
    let gateway: Program

    /// - Parameter store: `DB_HOST` of the vessel service.
    init(
        store: String, vesselFlags: [String] = [], gatewayFlags: [String] = [], environment: [String: String] = [:]
    ) async throws {
        vessel = try await Program.vessel(store: store, vesselFlags, environment: environment)
        gateway = try await Program.gateway(to: vessel, gatewayFlags, environment: environment)
    }

    /// The vessel service first; both are ready afterwards.
    func start() async throws -> (vessel: ProcessRun, gateway: ProcessRun) {
        let vesselRun = try await vessel.startReady()
        let gatewayRun = try await gateway.start()
        try await becomesReady()
        return (vesselRun, gatewayRun)
    }

    /// Waits until the gateway's own address says that all is ready.
    func becomesReady() async throws {
        try await eventually("readiness of the gateway") {
            try await Web.get(gateway.port, "/readyz").status == 200
        }
    }

    func create(_ vessel: VesselJSON, key: String? = nil) async throws -> WebAnswer {
        try await Web.rpc(gateway.port, vessel.create, headers: key.map { ["idempotency-key": $0] } ?? [:])
    }

    func find(capacity: Int, weight: Int) async throws -> WebAnswer {
        try await Web.rpc(gateway.port, VesselJSON.find(capacity: capacity, weight: weight))
    }
}

/// A vessel as callers of the gateway write it.
struct VesselJSON {
    var id: String?
    var name = "test"
    var capacity = 200
    var maxWeight = 100_000

    /// The body of a Create.
    var create: String {
        let id = id.map { "\"id\": \"\($0)\", " } ?? ""
        return """
            {"service": "vessel", "method": "VesselService.Create", "request": {\(id)"name": "\(name)", \
            "capacity": \(capacity), "max_weight": \(maxWeight), "available": true}}
            """
    }

    static func find(capacity: Int, weight: Int) -> String {
        """
        {"service": "vessel", "method": "VesselService.FindAvailable", \
        "request": {"capacity": \(capacity), "max_weight": \(weight)}}
        """
    }
}

extension WebAnswer {
    /// The body as JSON; empty when it is none.
    var json: [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any] ?? [:]
    }

    /// The `vessel` in the body.
    var vessel: StoredVessel? {
        struct Body: Decodable { var vessel: StoredVessel }
        return try? JSONDecoder().decode(Body.self, from: Data(body.utf8)).vessel
    }

    /// The vessel's id; empty when there is none.
    var vesselID: String { vessel?.id ?? "" }
}

/// A vessel as the gateway shows it.
struct StoredVessel: Decodable, Equatable {
    var id: String
    var name = "test"
    var capacity = 200
    var max_weight = 100_000
    var available = true
}
