import Contracts
import Idempotency
import Logging
import RPC
import TestSupport
import Testing

@testable import ConsignmentService
@testable import MongoStorage

/// What a create leaves behind that ends half-way, on servers that the tests break.
@Suite(.serialized, .timeLimit(.minutes(2))) struct MongoCrashTests {
    private func control(_ uri: String, _ body: @escaping @Sendable (MongoConnection) throws -> Void) async throws {
        let store = try MongoStore(
            try MongoAddress(uri), name: "control", threads: 1, logger: Logger(label: "test")
        ) { _ in }
        try store.start()
        let result = await Result(catching: { try await store.run(deadline: .after(.seconds(20)), body) })
        await store.shutdown()
        try result.get()
    }

    @Test("a create that ended between its key and its consignment is finished by a repeat", arguments: [false, true])
    func finishesWhatACrashInterrupted(isAskedFirst: Bool) async throws {
        let server = try await MongoServer(isStandalone: true)
        let uri = server.uri()
        try await withConsignments(at: uri) { consignments in
            let repository = consignments.repository
            let key = try claim("k", of: consignment())
            @Sendable func create() async throws -> Consignment_Consignment {
                try await repository.create(
                    consignment(), userID: "user001", claim: key, deadline: .after(.seconds(20)))
            }
            @Sendable func stored() async throws -> [Consignment_Consignment] {
                try await repository.page(after: nil, limit: 10, bytesMax: 1 << 20, deadline: .after(.seconds(20)))
                    .consignments
            }
            try await control(uri) { connection in
                try connection.run(
                    [
                        "configureFailPoint": "failCommand", "mode": ["skip": 1, "times": 1],
                        "data": ["failCommands": ["insert"], "closeConnection": true],
                    ], database: "admin")
            }
            let lost = await status { try await create() }
            #expect(lost.code == .unavailable)
            let before = try await stored()
            #expect(before.isEmpty)
            if isAskedFirst {
                #expect(try await repository.booking(of: key, deadline: .after(.seconds(20))) == nil)
            }
            let first = try await create()
            let again = try await create()
            #expect(again == first)
            let after = try await stored()
            #expect(after == [first])
        }
        server.kill()
    }

    @Test("a server that dies and comes back keeps what was answered")
    func restart() async throws {
        let server = try await MongoServer()
        try await withConsignments(at: server.uri(options: "serverSelectionTimeoutMS=300")) { consignments in
            let repository = consignments.repository
            let kept = try await repository.create(
                consignment(), userID: "user001", claim: nil, deadline: .after(.seconds(20)))
            server.kill()
            let away = await status {
                try await repository.page(after: nil, limit: 1, bytesMax: 1, deadline: .after(.seconds(20)))
            }
            #expect(away.code == .unavailable)
            try await server.start()
            try await eventually("an answer") {
                let page = try? await repository.page(
                    after: nil, limit: 10, bytesMax: 1 << 20, deadline: .after(.seconds(5)))
                return page?.consignments == [kept]
            }
        }
        server.kill()
    }
}
