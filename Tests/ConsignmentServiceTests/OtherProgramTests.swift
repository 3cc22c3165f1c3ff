import Contracts
import MongoStorage
import RPC
import SQLiteStorage
import TestSupport
import Testing

@testable import ConsignmentService

/// Consignments that another program stored, whose ids and texts no rule of ours has bounded.
@Suite(.timeLimit(.minutes(10))) struct OtherProgramTests {
    private static let insert = SQLiteQuery(
        """
        INSERT INTO consignments (id, user_id, vessel_id, consignment) VALUES (?1, 'user001', 'vessel001', ?2)
        """)
    private let deadline = Deadline.after(.seconds(60))

    private func store(
        _ id: String, description: String = "theirs", in repository: any ConsignmentRepository
    ) async throws {
        if let mongo = repository as? MongoConsignmentRepository {
            return try await mongo.store.run(deadline: deadline) { connection in
                try connection.collection(MongoConsignmentRepository.consignments).insert(
                    [
                        "_id": .string(id), "description": .string(description), "weight": 5, "user_id": "user001",
                        "vessel_id": "vessel001",
                    ], deadline: deadline)
            }
        }
        let embedded = try #require(repository as? SQLiteConsignmentRepository)
        let record = Consignment_Consignment.with { ($0.id, $0.weight, $0.description_p) = (id, 5, description) }
        let bytes: [UInt8] = try record.serializedBytes()
        try await embedded.store.write(deadline: deadline) {
            _ = try $0.statement(Self.insert).bind(1, id).bind(2, bytes).run()
        }
    }

    /// The ids of all pages of one.
    private func walk(_ fixture: ConsignmentFixture) async throws -> [String] {
        var ids: [String] = []
        var token = ""
        repeat {
            let page = try await fixture.get(size: 1, page: token)
            ids += page.consignments.map(\.id)
            token = page.nextPageToken
        } while !token.isEmpty && ids.count < 20
        return ids
    }

    @Test("whatever id is listed can be fetched and cancelled, and ends no list", arguments: StoreKind.allCases)
    func ids(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind) { fixture in
            let ids = ["ABC", "abc", "c1abc", String(repeating: "x", count: 300), "é 漢\0"]
            for id in ids { try await store(id, in: fixture.repository) }
            let own = try await fixture.create().consignment.id
            #expect(try await walk(fixture) == [own] + ids)
            for id in ids {
                let found = try await fixture.find(id)
                #expect(found.id == id && found.description_p == "theirs" && !found.hasCreatedAt)
                let stranger = await status { try await fixture.find(id, token: Upstreams.token("user002")) }
                #expect(stranger.code == .notFound)
                let cancelled = try await fixture.cancel(id)
                #expect(cancelled.id == id && cancelled.status == .cancelled)
            }
            for id in ["abd", "", "ABC\0"] {
                let refused = await status { try await fixture.cancel(id) }
                #expect(refused.code == (id.isEmpty ? .invalidArgument : .notFound))
            }
        }
    }

    @Test("an id that is too long for a call is listed cut, and ends no list")
    func longIDs() async throws {
        try await ConsignmentFixture.run { fixture in
            let long = String(repeating: "y", count: 20_000)
            for id in ["x", long, "z"] { try await store(id, in: fixture.repository) }
            let ids = try await walk(fixture)
            #expect(ids.count == 3 && ids.first == "x" && ids.last == "z")
            let longest = ids.map(\.utf8.count).max() ?? 0
            #expect(longest <= ListedID.bytesMax)
            let refused = await status { try await fixture.find(long) }
            #expect(refused.code == .notFound)
        }
    }

    @Test("page tokens that were not answered here are refused")
    func tokens() async throws {
        try await ConsignmentFixture.run { fixture in
            let longest = String(repeating: "i", count: ListedID.bytesMax)
            let behind = try await fixture.get(page: "c2" + longest).consignments
            #expect(behind.isEmpty)
            for token in ["c2", "c2" + longest + "i", "c1abc", "c3abc", "C2abc"] {
                let refused = await status { try await fixture.get(page: token) }
                #expect(refused.code == .invalidArgument, "\(token.prefix(9))")
            }
        }
    }

    @Test(
        "one that no answer can hold, or none as JSON, is shown in outline by every method",
        arguments: StoreKind.allCases)
    func large(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind) { fixture in
            try await store("long", description: String(repeating: "d", count: 5_000_000), in: fixture.repository)
            // Within a message, and 18 MB as JSON.
            let controls = String(repeating: "\u{1}", count: 3_000_000)
            try await store("controls", description: controls, in: fixture.repository)
            try await store("small", in: fixture.repository)
            #expect(try await walk(fixture) == ["controls", "long", "small"])
            for id in ["controls", "long"] {
                let found = try await fixture.find(id)
                #expect(found.id == id && found.weight == 5 && found.description_p.isEmpty)
                let cancelled = try await fixture.cancel(id)
                #expect(cancelled.id == id && cancelled.description_p.isEmpty)
            }
        }
    }

    @Test("all that the rules allow fits an answer", arguments: ["\u{1}", "\u{85}", "\"", "🚢"])
    func valid(character: String) throws {
        let text = String(repeating: character, count: ConsignmentRules.containerTextLengthMax)
        let largest = Consignment_Consignment.with {
            $0.weight = 1
            $0.description_p = String(repeating: character, count: ConsignmentRules.descriptionLengthMax)
            $0.containers = Array(
                repeating: .with { ($0.id, $0.customerID, $0.origin, $0.userID) = (text, text, text, text) },
                count: ConsignmentRules.containersMax)
        }
        try ConsignmentRules.check(largest)
        #expect(largest.fitsAnswer)
    }
}
