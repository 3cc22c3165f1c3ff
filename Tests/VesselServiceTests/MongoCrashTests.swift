import Contracts
import Idempotency
import Logging
import RPC
import TestSupport
import Testing

@testable import MongoStorage
@testable import VesselService

/// What a create leaves behind that ends half-way, on servers that the tests break, so one after another.
@Suite(.serialized, .timeLimit(.minutes(10))) struct MongoCrashTests {
    /// Lets `inserts` inserts through, and closes the connection at the ones after them.
    private func breakInserts(after inserts: Int32, times: Int32, on uri: String) async throws {
        let control = try MongoStore(
            try MongoAddress(uri), name: "control", threads: 1, logger: Logger(label: "test")
        ) { _ in }
        try control.start()
        try await control.run(deadline: .never) { connection in
            try connection.run(
                [
                    "configureFailPoint": "failCommand", "mode": ["skip": .int32(inserts), "times": .int32(times)],
                    "data": ["failCommands": ["insert"], "closeConnection": true],
                ], database: "admin")
        }
        await control.shutdown()
    }

    private func count(_ collection: String, at uri: String) async throws -> Int {
        let store = try MongoStore(
            try MongoAddress(uri), name: "count", threads: 1, logger: Logger(label: "test")
        ) { _ in }
        try store.start()
        let count = try await store.run(deadline: .never) { connection in
            var count = 0
            try connection.collection(collection).find([:], limit: 1_000, deadline: .never) { _ in
                count += 1
                return true
            }
            return count
        }
        await store.shutdown()
        return count
    }

    @Test(
        "a create that ended between its key and its vessel is finished by a repeat",
        arguments: [false, true], ["", "given"])
    func finishesWhatACrashInterrupted(isStandalone: Bool, id: String) async throws {
        let server = try await MongoServer(isStandalone: isStandalone)
        let uri = server.uri()
        try await withVessels(at: uri) { vessels in
            let handlers = vesselHandlers(vessels)
            // A replica set's driver repeats a lost insert once, so there it is lost twice.
            try await breakInserts(after: 1, times: isStandalone ? 1 : 2, on: uri)
            let lost = await status { try await handlers.create(vessel(id), context(key: "k")) }
            #expect(lost.code == .unavailable)
            #expect(try await count("vessel_keys", at: uri) == 1)
            #expect(try await count("vessels", at: uri) == 0)
            let other = await status { try await handlers.create(vessel("other"), context(key: "k")) }
            #expect(other.code == .aborted)
            let first = try await handlers.create(vessel(id), context(key: "k"))
            let second = try await handlers.create(vessel(id), context(key: "k"))
            #expect(first == second)
            #expect(try await count("vessels", at: uri) == 1)
        }
        server.kill()
    }

    @Test("a server that dies and comes back keeps what was answered, and the service finds it again")
    func restart() async throws {
        let server = try await MongoServer()
        try await withVessels(at: server.uri(options: "serverSelectionTimeoutMS=300")) { vessels in
            let handlers = vesselHandlers(vessels)
            _ = try await handlers.create(vessel("kept"), context())
            server.kill()
            let away = await status { try await handlers.findAvailable(specification(1, 1), context()) }
            #expect(away.code == .unavailable)
            #expect(!away.message.contains("127.0.0.1"))
            try await server.start()
            let isBack = await eventually(within: .seconds(30)) {
                await status { try await handlers.findAvailable(specification(1, 1), context()) } == .ok
            }
            #expect(isBack)
        }
        server.kill()
    }
}
