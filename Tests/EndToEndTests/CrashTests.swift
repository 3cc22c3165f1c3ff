import Foundation
import TestSupport
import Testing

extension LoadTests {
    /// Kill -9 at any moment: what was answered is stored, and what carries a key is stored once.
    @Suite("Crashes under load", .timeLimit(.minutes(10)))
    struct CrashTests {
        private static let callers = 8
        private static let crashes = 4

        @Test("every acknowledged vessel outlives crashes of the vessel service, in SQLite")
        func serviceOnSQLite() async throws {
            let folder = try TemporaryFolder()
            let path = folder.file("vessel.db")
            let fleet = try await Fleet(store: "sqlite:" + path)
            let known = try await crashService(of: fleet)
            try await check(known, fleet) { try await StoredVessels.sqlite(path) }
        }

        @Test("every acknowledged vessel outlives crashes of the vessel service, in MongoDB")
        func serviceOnMongo() async throws {
            let server = try await MongoServer()
            let uri = server.uri()
            let fleet = try await Fleet(store: uri)
            let known = try await crashService(of: fleet)
            try await check(known, fleet) { try await StoredVessels.mongo(uri) }
        }

        @Test("every acknowledged vessel outlives crashes of the MongoDB server, and the service goes on by itself")
        func mongoServer() async throws {
            let server = try await MongoServer(syncsOnCommit: true)
            let uri = server.uri()
            let fleet = try await Fleet(store: uri)
            let runs = try await fleet.start()
            let load = CrashLoad(gateway: fleet.gateway.port)
            try await load.run(callers: Self.callers) {
                for _ in 0..<2 {
                    try await load.progress(.random(in: 20...150))
                    server.kill()
                    try await server.start()
                    try await load.progress(20)
                }
            }
            #expect(try await runs.gateway.stop() == 0)
            #expect(try await runs.vessel.stop() == 0)
            var known = load.known
            // Of a write that it was sent twice, before and after its crash, this server does not know that it is the
            // same write. Whose id is taken by his own first attempt can't tell, and counts as not answered.
            known.surprises.removeAll { $0.hasPrefix("409") }
            try await check(known, fleet) { try await StoredVessels.mongo(uri) }
        }

        private func crashService(of fleet: Fleet) async throws -> CrashLoad.Ledger {
            let gateway = try await fleet.gateway.start()
            var vessel = try await fleet.vessel.startReady()
            try await fleet.becomesReady()
            let load = CrashLoad(gateway: fleet.gateway.port)
            try await load.run(callers: Self.callers) {
                for _ in 0..<Self.crashes {
                    try await load.progress(.random(in: 20...300))
                    try await vessel.crash()
                    vessel = try await fleet.vessel.startReady()
                }
                try await load.progress(20)
            }
            // The programs that answer the questions afterwards are fresh ones.
            try await vessel.crash()
            #expect(try await gateway.stop() == 0)
            #expect(load.known.failures > 0, "no crash hit a request")
            return load.known
        }

        /// - Parameter stored: reads the store past our programs.
        private func check(
            _ known: CrashLoad.Ledger, _ fleet: Fleet, stored: () async throws -> StoredVessels
        ) async throws {
            #expect(known.surprises.isEmpty, "\(known.surprises.prefix(5))")
            let names = try await stored().names
            let lost = known.acknowledged.filter { names[$0] != 1 }
            #expect(
                lost.isEmpty, "\(lost.count) of \(known.acknowledged.count) acknowledged vessels are not stored once")
            let keyed = known.keyed.filter { names[$0.key] != 1 || $0.value.count != 1 }
            #expect(keyed.isEmpty, "\(keyed.count) of \(known.keyed.count) keys don't stand for one vessel")

            let runs = try await fleet.start()
            for id in known.acknowledged.prefix(20) {
                #expect(try await fleet.create(VesselJSON(id: id)).status == 409)
            }
            for (key, ids) in known.keyed.prefix(20) {
                let again = try await fleet.create(VesselJSON(name: key), key: key)
                #expect(again.status == 200 && ids.contains(again.vesselID), "\(again)")
            }
            withExtendedLifetime(runs) {}
        }
    }
}
