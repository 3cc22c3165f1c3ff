import Contracts
import Foundation
import RPC
import TestSupport
import Testing

/// Whoever starts first waits for the others, says so, and goes on by itself.
@Suite("Start in any order", .timeLimit(.minutes(10)))
struct StartOrderTests {
    @Test("a gateway without its service lives, is not ready, refuses calls, and goes on when the service comes")
    func gatewayFirst() async throws {
        let folder = try TemporaryFolder()
        let fleet = try await Fleet(store: "sqlite:" + folder.file("vessel.db"))
        let gateway = try await fleet.gateway.start()
        try await isUnready(fleet)
        #expect(try await Web.get(fleet.gateway.port, "/healthz").status == 200)

        let refused = try await fleet.create(VesselJSON())
        #expect(refused.status == 503)
        #expect(refused.headers.first(name: "content-type") == "application/json")
        #expect(refused.json["id"] as? String == "shippy.vessel")
        #expect(refused.json["code"] as? Int == 503)
        #expect(refused.json["status"] as? String == "Service Unavailable")
        #expect(Set(refused.json.keys) == ["id", "code", "detail", "status"])
        #expect(!refused.body.contains("\(fleet.vessel.port)"), "an address of ours is shown: \(refused.body)")

        for _ in 0..<2 {
            let vessel = try await fleet.vessel.start()
            try await fleet.becomesReady()
            try await eventually("readiness on the admin address") {
                try await Web.get(fleet.gateway.adminPort, "/readyz").status == 200
            }
            #expect(try await fleet.create(VesselJSON()).status == 200)
            #expect(try await vessel.stop() == 0)
            try await eventually("a gateway that is not ready") {
                try await Web.get(fleet.gateway.port, "/readyz").status == 503
            }
        }
        #expect(try await gateway.stop() == 0)
    }

    /// Both of the gateway's addresses say so, and name the service.
    private func isUnready(_ fleet: Fleet) async throws {
        for port in [fleet.gateway.port, fleet.gateway.adminPort] {
            let answer = try await Web.get(port, "/readyz")
            #expect(answer.status == 503)
            #expect(answer.body.contains("vessel"), "\(answer.body)")
        }
    }

    @Test("a service without its MongoDB runs, is not ready, says why, and goes on when the server is back")
    func serviceFirst() async throws {
        let server = try await MongoServer()
        let password = "hunter2-\(UUID().uuidString)"
        let uri = try await server.uriOfNewUser("shippy", password: password)
        server.kill()
        let vessel = try await Program.vessel(store: uri)
        let run = try await vessel.start()
        #expect(try await Web.get(vessel.adminPort, "/healthz").status == 200)
        try await refusesCalls(vessel)

        let wait = "waiting for the store at MongoDB, 127.0.0.1:\(server.port)/"
        try await eventually("a second complaint") { run.lines(containing: wait).count >= 2 }
        let times = run.lines(containing: wait).prefix(2).compactMap { Self.time(of: $0) }
        #expect(times.count == 2 && (4.5...7.5).contains(times[1].timeIntervalSince(times[0])), "\(times)")

        try await server.start()
        try await serves(vessel)
        server.kill()
        try await eventually("a service that is not ready") {
            try await Web.get(vessel.adminPort, "/readyz").status == 503
        }
        try await refusesCalls(vessel)
        try await server.start()
        try await serves(vessel)

        #expect(try await run.stop() == 0)
        #expect(!run.output.contains(password) && !run.output.contains("authSource"))
        #expect(run.errors.isEmpty)
    }

    private func refusesCalls(_ vessel: Program) async throws {
        let readiness = try await Web.get(vessel.adminPort, "/readyz")
        #expect(readiness.status == 503)
        #expect(readiness.body.contains("\"store\""), "\(readiness.body)")
        try await withClient(of: vessel) { client in
            let health = try await client.call(HealthMethods.check, .init(), deadline: .after(.seconds(10)))
            #expect(health.status == .notServing)
            await #expect(throws: Status.self) { try await client.find(1) }
            #expect(await client.status { try await $0.find(1) } == .unavailable)
            #expect(await client.status { try await $0.create(UUID().uuidString) } == .unavailable)
        }
    }

    private func serves(_ vessel: Program) async throws {
        try await eventually("readiness") { try await Web.get(vessel.adminPort, "/readyz").status == 200 }
        try await withClient(of: vessel) { client in
            let health = try await client.call(HealthMethods.check, .init(), deadline: .after(.seconds(10)))
            #expect(health.status == .serving)
            #expect(try await client.create(UUID().uuidString).created)
            #expect(try await client.find(1).vessel.capacity == 200)
        }
    }

    @Test("a service that may wait a second for its store gives up with one line")
    func givesUp() async throws {
        let port = try Ports.free()
        let vessel = try await Program.vessel(
            store: "mongodb://shippy:hunter2@127.0.0.1:\(port)/shippy", ["--store_timeout=1"])
        let run = try vessel.launch()
        #expect(try await run.status() == 1)
        #expect(run.errors.split(separator: "\n").count == 1)
        #expect(run.errors.contains("the store at MongoDB, 127.0.0.1:\(port)/shippy was not there"), "\(run.errors)")
        #expect(!(run.errors + run.output).contains("hunter2"))
    }

    @Test("a service whose user is made after it has started becomes ready by itself")
    func userComesLater() async throws {
        let server = try await MongoServer.shared.value
        let name = "user-\(UUID().uuidString.prefix(8))"
        let plain = server.uri(options: "authSource=admin").dropFirst("mongodb://".count)
        let vessel = try await Program.vessel(store: "mongodb://\(name):right@\(plain)")
        let run = try await vessel.start()
        try await run.waitForOutput("it refuses")
        _ = try await server.uriOfNewUser(name, password: "right")
        try await serves(vessel)
        #expect(try await run.stop() == 0)
    }

    @Test("a service whose credentials stay refused ends with one line that shows no password")
    func refused() async throws {
        let server = try await MongoServer.shared.value
        let name = "user-\(UUID().uuidString.prefix(8))"
        let uri = try await server.uriOfNewUser(name, password: "right", shown: "hunter2")
        let run = try await Program.vessel(store: uri, ["--store_timeout=2"]).launch()
        #expect(try await run.status() == 1)
        #expect(run.errors.split(separator: "\n").count == 1)
        #expect(run.errors.contains("the store at MongoDB, 127.0.0.1:\(server.port)/"), "\(run.errors)")
        #expect(run.errors.contains("refuses"), "\(run.errors)")
        #expect(!(run.errors + run.output).contains("hunter2"))
    }

    private static func time(of line: Substring) -> Date? {
        let object = (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any]
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        return (object?["time"] as? String).flatMap { try? format.parse($0) }
    }
}

extension ProcessRun {
    /// Lines of its standard output.
    func lines(containing text: String) -> [Substring] {
        output.split(separator: "\n").filter { $0.contains(text) }
    }
}
