import Contracts
import Logging
import MongoStorage
import RPC
import SQLiteStorage
import TestSupport
import Testing

@testable import ConsignmentService

/// Pages whose stored consignments are too large for an answer.
@Suite(.timeLimit(.minutes(10))) struct LargeRecordTests {
    private static let insert = SQLiteQuery(
        """
        INSERT INTO consignments (id, user_id, vessel_id, consignment) VALUES (?1, 'user001', 'vessel001', ?2)
        """)

    /// Field 1000, with `count` bytes.
    private func unknown(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = [0xc2, 0x3e]
        var rest = count
        repeat {
            bytes.append(UInt8(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return bytes + [UInt8](repeating: 0x55, count: count)
    }

    @Test("unknown fields are neither stored nor returned, and do not block the next pages")
    func unknownFields() async throws {
        try await ConsignmentFixture.run { fixture in
            var wish = consignment("known")
            try wish.merge(serializedBytes: unknown(4_000_000))
            try wish.containers[0].merge(serializedBytes: unknown(100_000))
            var answer = try await fixture.create(wish, key: "k").consignment
            let bytes: [UInt8] = try answer.serializedBytes()
            #expect(bytes.count < 1_000)
            #expect(try await fixture.create(wish, key: "k").consignment == answer)
            // A repeated call is recognized by its known fields.
            #expect(try await fixture.create(consignment("known"), key: "k").consignment == answer)
            let second = try await fixture.create(consignment("second")).consignment
            #expect(try await fixture.get().consignments == [answer, second])
            answer.id = ""
            answer.vesselID = ""
            #expect(answer.asked == consignment("known"))
        }
    }

    @Test("the largest valid consignments can be listed, one per page")
    func largest() async throws {
        try await ConsignmentFixture.run { fixture in
            let text = String(repeating: "🚢", count: 200)
            let wish = Consignment_Consignment.with {
                $0.description_p = String(repeating: "🚢", count: 1_000)
                $0.weight = 1
                $0.containers = Array(
                    repeating: .with { ($0.id, $0.customerID, $0.origin, $0.userID) = (text, text, text, text) },
                    count: 1_000)
            }
            let bytes: [UInt8] = try wish.serializedBytes()
            #expect(bytes.count < ConsignmentRules.recordBytesMax)
            var stored: [Consignment_Consignment] = []
            for _ in 0..<2 { stored.append(try await fixture.create(wish).consignment) }
            let first = try await fixture.get()
            let second = try await fixture.get(page: first.nextPageToken)
            #expect(first.consignments + second.consignments == stored)
            #expect(first.consignments.count == 1 && second.nextPageToken.isEmpty)
        }
    }

    private func id(_ number: Int) -> String { "000000000000000\(number)0000000000000000" }

    /// Pages of stored consignments: a small one, a huge one, and a small one again.
    private func walk(_ repository: any ConsignmentRepository) async throws -> [Consignment_Consignment] {
        var (found, after): ([Consignment_Consignment], String?) = ([], nil)
        repeat {
            let page = try await repository.page(
                after: after, limit: 10, bytesMax: ConsignmentRules.pageBytesMax, deadline: .after(.seconds(30)))
            let answer = Consignment_Response.with { $0.consignments = page.consignments }
            let bytes: [UInt8] = try answer.serializedBytes()
            #expect(bytes.count < 4 << 20)
            found += page.consignments
            after = page.hasMore ? page.consignments.last?.id : nil
        } while after != nil
        return found
    }

    @Test(
        "an old record with megabytes of unknown fields is listed without them; one of known fields in outline"
    )
    func embedded() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("consignments.sqlite")
        try await withConsignments(at: "sqlite:\(path)") { consignments in
            let store = try SQLiteStore(
                path: path, name: "old", migrations: SQLiteConsignmentRepository.migrations,
                logger: Logger(label: "test"))
            try store.start()
            var records = (1...4).map { number in
                Consignment_Consignment.with { ($0.id, $0.weight, $0.vesselID) = (id(number), 5, "vessel001") }
            }
            records[3].description_p = String(repeating: "d", count: 5_000_000)
            var stored = records
            try stored[1].merge(serializedBytes: unknown(4_190_000))
            for record in stored {
                let bytes: [UInt8] = try record.serializedBytes()
                try await store.write(deadline: .after(.seconds(30))) {
                    _ = try $0.statement(Self.insert).bind(1, record.id).bind(2, bytes).run()
                }
            }
            await store.shutdown()
            records[3].description_p = ""
            #expect(try await walk(consignments.repository).map(\.asked) == records)
        }
    }

    @Test("a document of another program that is too large for an answer is listed in outline")
    func mongo() async throws {
        let uri = try await MongoServer.shared.value.uri()
        try await withConsignments(at: uri) { consignments in
            let store = try MongoStore(
                try MongoAddress(uri), name: "old", threads: 1, logger: Logger(label: "test"), prepare: { _ in })
            try store.start()
            for number in 1...3 {
                try await store.run(deadline: .after(.seconds(30))) { [id = id(number)] connection in
                    try connection.collection(MongoConsignmentRepository.consignments).insert(
                        [
                            "_id": .string(id), "weight": 5, "vessel_id": "vessel001",
                            "description": .string(String(repeating: "d", count: number == 2 ? 5_000_000 : 3)),
                        ], deadline: .after(.seconds(30)))
                }
            }
            await store.shutdown()
            let found = try await walk(consignments.repository)
            #expect(found.map(\.id) == (1...3).map(id) && found.map(\.weight) == [5, 5, 5])
            #expect(found.map(\.description_p) == ["ddd", "", "ddd"])
        }
    }

    @Test("texts hold a NUL like any other character, in every store", arguments: StoreKind.allCases)
    func zeroBytes(kind: StoreKind) async throws {
        try await withConsignments(kind) { consignments in
            var wish = consignment("a\0b")
            wish.vesselID = "v\0"
            wish.containers[0].origin = "\0"
            wish.id = try await consignments.repository.create(
                wish, userID: "user\0", claim: nil, deadline: .after(.seconds(30))
            ).id
            #expect(try await walk(consignments.repository).map(\.asked) == [wish])
        }
    }
}
