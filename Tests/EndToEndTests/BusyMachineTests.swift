import NIOConcurrencyHelpers
import TestSupport
import Testing

extension LoadTests {
    /// Other processes want every processor, as on a full node. Calls get slow, but that is no overload.
    @Suite("A busy machine", .timeLimit(.minutes(10)))
    struct BusyMachineTests {
        @Test("64 callers next to four busy-looping processes: no call is refused", arguments: ["find", "create"])
        func busy(call: String) async throws {
            let folder = try TemporaryFolder()
            let fleet = try await Fleet(store: "sqlite:" + folder.file("vessel.db"), vesselFlags: ["--seed"])
            let runs = try await fleet.start()
            let body = call == "find" ? VesselJSON.find(capacity: 1, weight: 1) : VesselJSON().create
            let port = fleet.gateway.port
            let statuses = NIOLockedValueBox<[Int: Int]>([:])
            var burners: [ProcessRun] = []
            for _ in 0..<4 { burners.append(try ProcessRun("/bin/sh", ["-c", "while :; do :; done"])) }
            let end = ContinuousClock.now + .seconds(4)
            try await withThrowingTaskGroup { group in
                for _ in 0..<64 {
                    group.addTask {
                        let connection = try await WebConnection.open(port)
                        repeat {
                            let answer = try await connection.rpc(body)
                            statuses.withLockedValue { $0[answer.status, default: 0] += 1 }
                        } while ContinuousClock.now < end
                        await connection.close()
                    }
                }
                try await group.waitForAll()
            }
            for burner in burners { try await burner.crash() }
            let seen = statuses.withLockedValue { $0 }
            #expect(Set(seen.keys) == [200], "\(seen)")
            for run in [runs.gateway, runs.vessel] { #expect(try await run.stop() == 0) }
        }
    }
}
