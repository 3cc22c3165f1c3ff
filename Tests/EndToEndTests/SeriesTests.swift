import Foundation
import TestSupport
import Testing

/// What a reader of the series does first.
@Suite("The series' own request", .timeLimit(.minutes(10)))
struct SeriesTests {
    /// As it stands in the series; only the port is the test's.
    private static func line(port: Int) -> String {
        """
        curl -s localhost:\(port)/rpc -XPOST -d '{"request": {"name": "test", "capacity": 200, \
        "max_weight": 100000, "available": true}, "method": "VesselService.Create", "service": "vessel"}' \
        -H 'Content-Type: application/json'
        """
    }

    @Test(
        "curl creates a vessel, which is found, also after both programs were stopped and started again",
        arguments: [SIGTERM, SIGINT])
    func curl(signal: Int32) async throws {
        let folder = try TemporaryFolder()
        let fleet = try await Fleet(store: "sqlite:" + folder.file("vessel.db"))
        var runs = try await fleet.start()

        let created = try await Tool.run("sh", ["-c", Self.line(port: fleet.gateway.port)])
        let answer = WebAnswer(status: 200, headers: [:], body: created)
        #expect(answer.json["created"] as? Bool == true)
        #expect(answer.vessel == StoredVessel(id: answer.vesselID))
        #expect(!answer.vesselID.isEmpty)
        #expect(try await fleet.find(capacity: 200, weight: 100_000).vesselID == answer.vesselID)

        for run in [runs.gateway, runs.vessel] {
            run.send(signal)
            #expect(try await run.status() == 0)
            #expect(run.errors.isEmpty)
        }
        runs = try await fleet.start()
        let found = try await fleet.find(capacity: 1, weight: 1)
        #expect(found.vessel == answer.vessel)
        #expect(try await fleet.create(VesselJSON(id: answer.vesselID)).status == 409)
        let none = try await fleet.find(capacity: 201, weight: 1)
        #expect(none.json["detail"] as? String == "no vessel carries 201 containers and 1 kg")
        #expect(try await runs.gateway.stop() == 0)
        #expect(try await runs.vessel.stop() == 0)
    }

    @Test("the seed is there after the first start and unchanged after the second", arguments: [true, false])
    func seed(byFlag: Bool) async throws {
        let folder = try TemporaryFolder()
        let fleet = try await Fleet(
            store: "sqlite:" + folder.file("vessel.db"), vesselFlags: byFlag ? ["--seed"] : [],
            environment: byFlag ? [:] : ["SEED_DATA": "true"])
        let kane = StoredVessel(id: "vessel001", name: "Kane's Salty Secret", capacity: 500, max_weight: 200_000)
        for _ in 0..<2 {
            let runs = try await fleet.start()
            #expect(try await fleet.find(capacity: 500, weight: 200_000).vessel == kane)
            #expect(try await fleet.create(VesselJSON(id: "vessel001", name: "another")).status == 409)
            #expect(try await runs.gateway.stop() == 0)
            #expect(try await runs.vessel.stop() == 0)
        }
        #expect(
            try await StoredVessels.sqlite(folder.file("vessel.db")).names == [
                "Kane's Salty Secret": 1, "Kane's Second Wind": 1, "Kane's Long Haul": 1,
            ])
    }

    @Test("nothing of the embedded store is made unless it is asked for")
    func noSilentStore() async throws {
        let vessel = try await Program.vessel(store: "", ["--store_timeout=200ms"])
        let run = try vessel.launch()
        #expect(try await run.status() == 1)
        #expect(run.errors.contains("the store at MongoDB, localhost:27017/shippy was not there"), "\(run.errors)")
    }
}
