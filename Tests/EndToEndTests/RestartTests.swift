import Foundation
import Synchronization
import TestSupport
import Testing

extension LoadTests {
    /// Calls wait for a service that restarts: idempotent calls are not lost.
    @Suite("Restarts under load", .timeLimit(.minutes(10)))
    struct RestartTests {
        /// Callers that make the same request without pause, and their answers other than 200.
        private final class Load: Sendable {
            struct Outcome: Sendable {
                var answered = 0
                var failures: [String] = []
                var hasEnded = false
            }

            private let state = Mutex(Outcome())
            private let port: Int
            private let request: String
            private let token: String?

            /// - Parameter request: the body of `POST /rpc`.
            init(gateway port: Int, _ request: String, token: String? = nil) {
                self.port = port
                self.request = request
                self.token = token
            }

            var outcome: Outcome { state.withLock { $0 } }

            func run(callers: Int, _ body: () async throws -> Void) async throws {
                try await withThrowingTaskGroup { group in
                    for _ in 0..<callers { group.addTask { try await self.ask() } }
                    let result = await Result { try await body() }
                    state.withLock { $0.hasEnded = true }
                    try await group.waitForAll()
                    try result.get()
                }
            }

            /// Waits until `count` more calls were answered.
            func progress(_ count: Int) async throws {
                let goal = outcome.answered + count
                try await eventually("\(count) more answers", within: .seconds(40)) { outcome.answered >= goal }
            }

            private func ask() async throws {
                let connection = try await WebConnection.open(port)
                while !outcome.hasEnded {
                    let answer = try await connection.rpc(
                        request, headers: token.map { ["authorization": "Bearer \($0)"] } ?? [:])
                    state.withLock { state in
                        if answer.status == 200 {
                            state.answered += 1
                        } else {
                            state.failures.append("\(answer.status) \(answer.body)")
                        }
                    }
                }
                await connection.close()
            }
        }

        @Test(
            "killing the only vessel service five times, for 0.3 s each, loses no FindAvailable",
            arguments: [1, 2, 8])
        func vesselKilled(loops: Int) async throws {
            let folder = try TemporaryFolder()
            let fleet = try await Fleet(
                store: "sqlite:" + folder.file("vessel.db"), vesselFlags: ["--seed"],
                // A start takes longer on a busy machine.
                gatewayFlags: ["--threads=\(loops)", "--connect_wait=8", "--timeout=12"])
            var (vessel, gateway) = try await fleet.start()
            let load = Load(gateway: fleet.gateway.port, VesselJSON.find(capacity: 1, weight: 1))
            try await load.run(callers: 16) {
                for _ in 0..<5 {
                    try await load.progress(200)
                    try await vessel.crash()
                    try await Task.sleep(for: .milliseconds(300))
                    vessel = try fleet.vessel.launch()
                }
                try await load.progress(200)
            }
            let outcome = load.outcome
            #expect(outcome.failures.isEmpty, "\(outcome.failures.count): \(outcome.failures.prefix(3))")
            #expect(outcome.answered >= 1_200)
            #expect(try await gateway.stop() == 0)
            #expect(try await vessel.stop() == 0)
        }

        @Test("killing the services that a booking needs loses no booking")
        func calleesKilled() async throws {
            let folder = try TemporaryFolder()
            var harbor = try Harbor(.embedded(in: folder), environment: ["CONNECT_WAIT": "10"])
            harbor.gateway.environment["UPSTREAM_TIMEOUT"] = "15"
            var runs = try await harbor.start()
            let token = try await Caller(port: harbor.gateway.port).signUp("ada@example.com").text("token.token")
            let booking = """
                {"service": "consignment", "method": "ConsignmentService.Create", "request": \
                {"description": "d", "weight": 1, "containers": [{"origin": "Derby"}]}}
                """
            let load = Load(gateway: harbor.gateway.port, booking, token: token)
            try await load.run(callers: 8) {
                for _ in 0..<3 {
                    try await load.progress(50)
                    try await runs[0].crash()
                    try await runs[2].crash()
                    try await Task.sleep(for: .milliseconds(300))
                    runs[0] = try harbor.vessel.launch()
                    runs[2] = try harbor.user.launch()
                }
                try await load.progress(50)
            }
            let outcome = load.outcome
            #expect(outcome.failures.isEmpty, "\(outcome.failures.count): \(outcome.failures.prefix(3))")
            try await Harbor.stop(runs)
        }

        @Test("calls made before the service first listens are answered when it does", arguments: [1, 2, 8])
        func beforeTheStart(loops: Int) async throws {
            let folder = try TemporaryFolder()
            let fleet = try await Fleet(
                store: "sqlite:" + folder.file("vessel.db"), vesselFlags: ["--seed"],
                gatewayFlags: ["--threads=\(loops)", "--connect_wait=10", "--timeout=15"])
            // Its vessels are stored already, so that the first call does not race with the seed.
            #expect(try await fleet.vessel.startReady().stop() == 0)
            let gateway = try await fleet.gateway.start()
            let early = (0..<20).map { _ in Task { try await fleet.find(capacity: 1, weight: 1) } }
            try await Task.sleep(for: .milliseconds(700))
            let vessel = try fleet.vessel.launch()
            for call in early {
                let answer = try await call.value
                #expect(answer.status == 200, "\(answer)")
            }
            #expect(try await gateway.stop() == 0)
            #expect(try await vessel.stop() == 0)
        }

        @Test("once /readyz is 200, calls pass on every event loop without a wait")
        func ready() async throws {
            let folder = try TemporaryFolder()
            let fleet = try await Fleet(
                store: "sqlite:" + folder.file("vessel.db"), vesselFlags: ["--seed"],
                gatewayFlags: ["--threads=8", "--connect_wait=1ms"])
            let gateway = try await fleet.gateway.start()
            // Loops that have tried in vain, each with its own back-off.
            for _ in 0..<32 { #expect(try await fleet.find(capacity: 1, weight: 1).status == 503) }
            let vessel = try await fleet.vessel.startReady()
            try await fleet.becomesReady()
            let calls = (0..<64).map { _ in Task { try await fleet.find(capacity: 1, weight: 1) } }
            for call in calls {
                let answer = try await call.value
                #expect(answer.status == 200, "\(answer)")
            }
            #expect(try await gateway.stop() == 0)
            #expect(try await vessel.stop() == 0)
        }

        @Test("calls to a service that stays down get 503 after --connect_wait")
        func away() async throws {
            let fleet = try await Fleet(
                store: "sqlite:none", gatewayFlags: ["--threads=1", "--connect_wait=1500ms", "--timeout=10"])
            let gateway = try await fleet.gateway.start()
            let began = ContinuousClock.now
            let answer = try await fleet.find(capacity: 1, weight: 1)
            let waited = ContinuousClock.now - began
            #expect(answer.status == 503)
            #expect(waited >= .milliseconds(1_400) && waited < .seconds(6), "\(waited)")
            #expect(answer.headers.first(name: "retry-after") == nil)
            #expect(try await gateway.stop() == 0)
        }
    }
}
