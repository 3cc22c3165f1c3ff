import Foundation
import TestSupport
import Testing

extension LoadTests {
    /// Peers who send too much, too slowly, or nonsense. Others are served meanwhile, and memory stays within bounds.
    @Suite("Hostile peers", .timeLimit(.minutes(10)))
    struct HostileTests {
        /// What one attack may add to a program's resident memory, in KiB. Forty-eight bodies of 1 MiB are allowed, so
        /// that many are the least.
        private static let growthKiBMax = 128 * 1024
        /// How long another caller may have to wait in the midst of an attack.
        private static let patience: Duration = .seconds(5)

        @Test("neither program grows without bound under any attack, and both serve others meanwhile and afterwards")
        func attacks() async throws {
            let folder = try TemporaryFolder()
            let fleet = try await Fleet(store: "sqlite:" + folder.file("vessel.db"), vesselFlags: ["--seed"])
            let runs = try await fleet.start()
            let onGateway = [
                "connections", "slow-loris", "large-bodies", "too-large-bodies", "large-headers", "slow-readers",
                "garbage",
            ]
            let onVessel = [
                "h2-connections", "h2-pings", "h2-settings", "h2-resets", "h2-endless-header", "h2-unread-calls",
                "h2-garbage",
            ]
            let before = (
                gateway: try #require(runs.gateway.residentKiB), vessel: try #require(runs.vessel.residentKiB)
            )
            for attack in onGateway { try await endure(attack, on: fleet.gateway, runs.gateway, fleet) }
            for attack in onVessel { try await endure(attack, on: fleet.vessel, runs.vessel, fleet) }
            // What one attack took serves the next one: nothing adds up.
            #expect(try #require(runs.gateway.residentKiB) - before.gateway < Self.growthKiBMax)
            #expect(try #require(runs.vessel.residentKiB) - before.vessel < Self.growthKiBMax)
            for run in [runs.gateway, runs.vessel] { #expect(try await run.stop() == 0) }
        }

        private func endure(_ attack: String, on program: Program, _ run: ProcessRun, _ fleet: Fleet) async throws {
            let before = try #require(run.residentKiB)
            let attacker = try ProcessRun(Tool.python, [Script.path("hostile.py"), attack, "\(program.port)"])
            try await attacker.waitForOutput("held", within: .seconds(40))
            let clock = ContinuousClock()
            let start = clock.now
            let answer = try await fleet.find(capacity: 500, weight: 200_000)
            #expect(answer.vesselID == "vessel001", "\(attack): \(answer.body)")
            #expect(clock.now - start < Self.patience, "\(attack)")
            let growth = try await settledKiB(run, attack) - before
            #expect(growth < Self.growthKiBMax, "\(attack): \(growth) KiB more")
            try await attacker.crash()
            try await eventually("the attacker's connections to close after \(attack)") {
                (try await openConnections(of: program)) < 20
            }
            #expect(try await fleet.find(capacity: 500, weight: 200_000).status == 200, "\(attack)")
        }

        /// The most memory that was resident until it grew no more for a while.
        private func settledKiB(_ run: ProcessRun, _ attack: String) async throws -> Int {
            var most = 0
            var looksWithoutGrowth = 0
            try await eventually("an end of the growth under \(attack)") {
                let now = try #require(run.residentKiB, "\(attack) ended it: \(run.errors)")
                looksWithoutGrowth = now > most ? 0 : looksWithoutGrowth + 1
                most = max(most, now)
                return looksWithoutGrowth == 30
            }
            return most
        }

        private func openConnections(of program: Program) async throws -> Double {
            let metrics = Metrics(try await Web.get(program.adminPort, "/metrics").body)
            return metrics.value("http_server_open_connections") ?? metrics.value("rpc_server_connections") ?? .infinity
        }
    }
}
