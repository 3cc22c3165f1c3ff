import Contracts
import Logging
import RPC
import Storage
import Testing

@testable import VesselService

@Suite(.timeLimit(.minutes(10))) struct VesselHandlersTests {
    private func withHandlers(_ body: (VesselHandlers) async throws -> Void) async throws {
        try await withVessels(.sqlite) { try await body(vesselHandlers($0)) }
    }

    @Test("a vessel is created and found")
    func creates() async throws {
        try await withHandlers { handlers in
            let created = try await handlers.create(vessel(capacity: 200, maxWeight: 100_000), context())
            #expect(created.created)
            #expect(!created.vessel.id.isEmpty)
            let found = try await handlers.findAvailable(specification(200, 100_000), context())
            #expect(found.vessel == created.vessel)
            #expect(!found.created)
        }
    }

    @Test("a vessel that is not available is not found; one that does not say so is")
    func heedsAvailable() async throws {
        try await withHandlers { handlers in
            var away = vessel("away")
            away.available = false
            _ = try await handlers.create(away, context())
            #expect(
                await status { try await handlers.findAvailable(specification(1, 1), context()) }.code == .notFound)
            var silent = vessel("silent", capacity: 99)
            silent.clearAvailable()
            _ = try await handlers.create(silent, context())
            #expect(try await handlers.findAvailable(specification(1, 1), context()).vessel.id == "silent")
        }
    }

    @Test("vessels that break a rule are refused, and the text names the field")
    func validation() async throws {
        try await withHandlers { handlers in
            let wrong: [(Vessel_Vessel, String)] = [
                (vessel(name: ""), "name"), (vessel(name: String(repeating: "ö", count: 201)), "name"),
                (vessel(capacity: 0), "capacity"), (vessel(capacity: -1), "capacity"),
                (vessel(maxWeight: 0), "max_weight"), (vessel(maxWeight: .min), "max_weight"),
                (vessel(String(repeating: "i", count: 201)), "id"),
            ]
            for (vessel, field) in wrong {
                let refused = await status { try await handlers.create(vessel, context()) }
                #expect(refused.code == .invalidArgument)
                #expect(refused.message.hasPrefix(field))
            }
            let longest = vessel(capacity: 1, maxWeight: 1, name: String(repeating: "ö", count: 200))
            #expect(await status { try await handlers.create(longest, context()) } == .ok)
        }
    }

    @Test("a search for less than nothing is refused; one for nothing finds the smallest vessel")
    func searches() async throws {
        try await withHandlers { handlers in
            for wanted in [specification(-1, 0), specification(0, -1)] {
                let refused = await status { try await handlers.findAvailable(wanted, context()) }
                #expect(refused.code == .invalidArgument)
            }
            _ = try await handlers.create(vessel("small", capacity: 1), context())
            #expect(try await handlers.findAvailable(specification(0, 0), context()).vessel.id == "small")
        }
    }

    @Test("where none fits the text repeats what was asked")
    func noneFits() async throws {
        try await withHandlers { handlers in
            let refused = await status { try await handlers.findAvailable(specification(3, 900_000), context()) }
            #expect(
                refused == Status(.notFound, "no vessel carries 3 containers and 900000 kg", reason: "FLEET_FULL"))
        }
    }

    @Test("a taken id is ALREADY_EXISTS")
    func idTaken() async throws {
        try await withHandlers { handlers in
            _ = try await handlers.create(vessel("v1"), context())
            let refused = await status { try await handlers.create(vessel("v1"), context()) }
            #expect(refused == Status(.alreadyExists, "a vessel with the id v1 exists already", reason: "ID_TAKEN"))
        }
    }

    @Test("seeding makes three vessels, and seeding again changes nothing", arguments: StoreKind.allCases)
    func seeds(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let handlers = vesselHandlers(vessels)
            for _ in 0..<2 { try await handlers.seed(deadline: .after(.seconds(10))) }
            let found = try await handlers.findAvailable(specification(500, 200_000), context()).vessel
            #expect(found.id == "vessel001")
            #expect(found.name == "Kane's Salty Secret")
            #expect(try await handlers.findAvailable(specification(501, 0), context()).vessel.id == "vessel002")
            #expect(try await handlers.findAvailable(specification(5_001, 0), context()).vessel.id == "vessel003")
            #expect(try await handlers.list(.init(), context()).vessels.count == 3)
        }
    }

    @Test("the service offers what its .proto file says")
    func routes() async throws {
        try await withHandlers { handlers in
            #expect(
                handlers.routes().map(\.name) == [
                    "Create", "FindAvailable", "Get", "List", "Update", "Reserve", "Release",
                ])
        }
    }

    @Test("addresses of stores are told apart, and bad ones are refused")
    func addresses() throws {
        let logger = Logger(label: "test")
        #expect(try VesselStore(address: nil, logger: logger).description == "MongoDB, localhost:27017/shippy")
        #expect(try VesselStore(address: "sqlite:/tmp/x", logger: logger).description == "SQLite, /tmp/x")
        #expect(
            try VesselStore(address: "mongodb://u:pw@db/fleet", logger: logger).description == "MongoDB, db/fleet")
        for bad in ["sqlite:", "mongo:port", "mongodb://"] {
            let error = #expect(throws: StorageError.self) { try VesselStore(address: bad, logger: logger) }
            #expect(error?.kind == .configuration)
        }
    }
}
