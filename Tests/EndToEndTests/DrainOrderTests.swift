import Foundation
import NIOConcurrencyHelpers
import RPC
import TestSupport
import Testing

/// SIGTERM while a call waits for something slow: first not ready, then no new callers, then the answer, then the end.
@Suite("Stopping with a call in flight", .timeLimit(.minutes(10)))
struct DrainOrderTests {
    @Test("the vessel service says that it drains, takes no one new, and answers the call when its store does")
    func vessel() async throws {
        let server = try await MongoServer()
        let vessel = try await Program.vessel(store: server.uri())
        let run = try await vessel.startReady()
        try await withClient(of: vessel) { client in
            try await client.create("first")
            server.send(SIGSTOP)
            async let slow = client.create("slow")
            try await isAtWork(vessel)
            run.send(SIGTERM)
            try await drains(vessel)
            server.send(SIGCONT)
            #expect(try await slow.created)
        }
        #expect(try await run.status() == 0)
    }

    @Test("a call that outlasts the drain timeout is ended, and the vessel service ends with 0")
    func impatient() async throws {
        let server = try await MongoServer()
        let vessel = try await Program.vessel(store: server.uri(), ["--drain_timeout=500ms"])
        let run = try await vessel.startReady()
        try await withClient(of: vessel) { client in
            try await client.create("first")
            server.send(SIGSTOP)
            async let slow = client.status { try await $0.create("slow") }
            try await isAtWork(vessel)
            #expect(try await run.stop(within: .seconds(12)) == 0)
            #expect(await slow == .unavailable)
        }
        server.send(SIGCONT)
    }

    @Test("the gateway says that it drains, takes no one new, and answers the request when the service does")
    func gateway() async throws {
        let folder = try TemporaryFolder()
        let fleet = try await Fleet(store: "sqlite:" + folder.file("vessel.db"))
        let runs = try await fleet.start()
        #expect(try await fleet.create(VesselJSON()).status == 200)
        runs.vessel.send(SIGSTOP)
        async let slow = fleet.create(VesselJSON(name: "slow"))
        try await eventually("a call in flight") {
            let metrics = try await Web.get(fleet.gateway.adminPort, "/metrics").body
            return Metrics(metrics).value("rpc_client_active_calls", ["rpc_method": "vessel.VesselService/Create"]) == 1
        }
        runs.gateway.send(SIGTERM)
        try await drains(fleet.gateway)
        runs.vessel.send(SIGCONT)
        let answer = try await slow
        #expect(answer.status == 200)
        #expect(answer.headers.first(name: "connection") == "close")
        #expect(try await runs.gateway.status() == 0)
        #expect(try await runs.vessel.stop() == 0)
    }

    @Test("callers that send a request each 100 ms over open connections lose none when the gateway stops")
    func openConnections() async throws {
        let folder = try TemporaryFolder()
        let fleet = try await Fleet(store: "sqlite:" + folder.file("vessel.db"))
        let runs = try await fleet.start()
        #expect(try await fleet.create(VesselJSON()).status == 200)
        let answered = NIOLockedValueBox(0)
        try await withThrowingTaskGroup(of: Void.self) { callers in
            for _ in 0..<8 {
                callers.addTask {
                    let connection = try await WebConnection.open(fleet.gateway.port)
                    var isLast = false
                    while !isLast {
                        let answer = try await connection.rpc(VesselJSON.find(capacity: 1, weight: 1))
                        #expect(answer.status == 200, "\(answer.body)")
                        isLast = answer.headers.first(name: "connection") == "close"
                        answered.withLockedValue { $0 += 1 }
                        try await Task.sleep(for: .milliseconds(100))
                    }
                    await connection.close()
                }
            }
            try await eventually("requests of each") { answered.withLockedValue { $0 } >= 40 }
            runs.gateway.send(SIGTERM)
            try await callers.waitForAll()
        }
        #expect(try await runs.gateway.status() == 0)
        #expect(try await runs.vessel.stop() == 0)
    }

    private func isAtWork(_ program: Program) async throws {
        try await eventually("a call in flight") {
            let metrics = Metrics(try await Web.get(program.adminPort, "/metrics").body)
            return (metrics.value("rpc_server_active_calls", ["rpc_method": "vessel.VesselService/Create"]) ?? 0) >= 1
        }
    }

    /// Probes say so, and new connections are refused.
    private func drains(_ program: Program) async throws {
        try await eventually("a probe that says draining") {
            let answer = try await Web.get(program.adminPort, "/readyz")
            return answer.status == 503 && answer.body.contains("\"draining\"")
        }
        try await eventually("a closed door") {
            do {
                _ = try await Web.get(program.port, "/healthz")
                return false
            } catch is WebUnanswered {
                return true
            }
        }
        #expect(try await Web.get(program.adminPort, "/healthz").status == 200)
    }
}
