import Contracts
import Idempotency
import Logging
import RPC
import TestSupport
import Testing

@testable import ConsignmentService
@testable import MongoStorage

/// What a call leaves behind that ends half-way or stands still, on servers that the tests break.
@Suite(.serialized, .timeLimit(.minutes(10))) struct MongoCrashTests {
    private func control(_ uri: String, _ body: @escaping @Sendable (MongoConnection) throws -> Void) async throws {
        let store = try MongoStore(
            try MongoAddress(uri), name: "control", threads: 1, logger: Logger(label: "test")
        ) { _ in }
        try store.start()
        let result = await Result(catching: { try await store.run(deadline: .after(.seconds(20)), body) })
        await store.shutdown()
        try result.get()
    }

    private func breakInsert(_ number: Int32, of uri: String, _ fault: BSONFields) async throws {
        let data: BSONFields = ["failCommands": ["insert"]]
        let command: BSONFields = [
            "configureFailPoint": "failCommand", "mode": ["skip": .int32(number), "times": 1],
            "data": .document(data.fields + fault.fields),
        ]
        try await control(uri) { try $0.run(command, database: "admin") }
    }

    @Test("a key is stored with its intent or not at all", arguments: [0, 1])
    func keyAndIntent(number: Int32) async throws {
        let server = try await MongoServer(isStandalone: true)
        let uri = server.uri(options: "retryWrites=false")
        try await withConsignments(at: uri) { consignments in
            let repository = consignments.repository
            let key = try claim("k", of: consignment())
            @Sendable func begin() async throws -> Booking {
                try await repository.begin(
                    consignment(), userID: "user001", claim: key, deadline: .after(.seconds(20)))
            }
            try await breakInsert(number, of: uri, ["closeConnection": true])
            var answers: [Booking] = []
            for _ in 0..<3 {
                if let booking = try? await begin() { answers.append(booking) }
                #expect(try await repository.booking(of: key, deadline: .after(.seconds(20))) == answers.first)
            }
            #expect(answers.count == 2)
            let first = try #require(answers.first)
            #expect(answers.last == first)
            let page = try await repository.page(
                after: nil, limit: 10, bytesMax: 1 << 20, deadline: .after(.seconds(20)))
            #expect(page.consignments == [first.shown])
        }
        server.kill()
    }

    @Test("what was undone does not come back by a call that stood still meanwhile", arguments: [0, 1])
    func standsStill(number: Int32) async throws {
        let server = try await MongoServer(isStandalone: true)
        let uri = server.uri()
        try await withConsignments(at: uri) { consignments in
            let repository = consignments.repository
            let key = try claim("k", of: consignment())
            try await breakInsert(number, of: uri, ["blockConnection": true, "blockTimeMS": 1_500])
            let begun = try await withThrowingTaskGroup(of: Booking.self) { tasks in
                for _ in 0..<2 {
                    tasks.addTask {
                        try await repository.begin(
                            consignment(), userID: "user001", claim: key, deadline: .after(.seconds(20)))
                    }
                }
                let first = try #require(try await tasks.next())
                _ = try await repository.beginUndo(first.id, deadline: .after(.seconds(20)))
                _ = try await repository.remove(first, deadline: .after(.seconds(20)))
                return [first, try #require(try await tasks.next())]
            }
            #expect(try await repository.booking(id: begun[0].id, deadline: .after(.seconds(20))) == nil)
            let left = begun[0].id == begun[1].id ? nil : begun[1]
            #expect(try await repository.booking(of: key, deadline: .after(.seconds(20))) == left)
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
