import Contracts
import Logging
import RPC
import SQLiteStorage
import TestSupport
import Testing

@testable import MongoStorage
@testable import VesselService

/// Stores that version 1 or another program filled.
@Suite(.timeLimit(.minutes(10))) struct TakeOverTests {
    private let logger = Logger(label: "test")
    private static let insert = SQLiteQuery("INSERT INTO vessels VALUES (?1, ?2, ?3, ?4, ?5, ?6)")

    @Test("vessels of version 1 in a file are found, shown and booked, with nothing booked before")
    func file() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("vessels.sqlite")
        let old = try SQLiteStore(
            path: path, name: "old", migrations: Array(SQLiteVesselRepository.migrations.prefix(1)), logger: logger)
        try old.start()
        try await old.write(deadline: .after(.seconds(20))) { connection in
            for number in 1...70 as ClosedRange<Int32> {
                try connection.statement(Self.insert)
                    .bind(1, number).bind(2, 100 + number).bind(3, "v\(number)").bind(4, "Old \(number)")
                    .bind(5, number == 70 ? 0 : 1).bind(6, "ann").run()
            }
        }
        await old.shutdown()
        try await withVessels(at: "sqlite:\(path)") { vessels in
            let repository = vessels.repository
            #expect(try await repository.all().count == 70)
            let found = try await repository.tightestFit(1, 169)
            #expect(found?.id == "v69" && found?.name == "Old 69" && found?.ownerID == "ann")
            #expect(found?.hasAvailable == true && found?.bookedContainers == 0)
            // Not available, as it was stored.
            #expect(try await repository.tightestFit(70, 1) == nil)
            #expect(try await repository.reserve(60, 160, for: "c")?.id == "v60")
            await #expect(throws: VesselError.idTaken("v1")) {
                try await repository.create(vessel("v1"), claim: nil, deadline: .never)
            }
        }
        try await withVessels(at: "sqlite:\(path)") { vessels async throws in
            #expect(try await vessels.repository.vessel(id: "v60", deadline: .never)?.bookedWeight == 160)
        }
    }

    @Test("documents of version 1 and of other programs are taken over at the start, and later ones while it runs")
    func documents() async throws {
        let uri = try await MongoServer.shared.value.uri()
        let other = try MongoStore(try MongoAddress(uri), name: "other", threads: 1, logger: logger) { _ in }
        try other.start()
        func store(_ id: String, _ fields: BSONFields) async throws {
            try await other.run(deadline: .after(.seconds(20))) { connection in
                var document: BSONFields = ["_id": .string(id), "capacity": 10, "max_weight": 1_000]
                document.fields += fields.fields
                try connection.collection("vessels").insert(document, deadline: .after(.seconds(20)))
            }
        }
        try await store("one", ["name": "One", "available": true, "owner_id": "ann"])
        try await store("two", [:])
        try await store("away", ["available": false])
        // Not ours: no call can name it, and it holds up nobody.
        try await other.run(deadline: .after(.seconds(20))) {
            try $0.collection("vessels").insert(
                ["_id": 7, "capacity": 10, "max_weight": 1_000], deadline: .after(.seconds(20)))
        }
        // No numbers of ours: it has no room, or all there is, and stops nothing.
        try await store("odd", ["booked_containers": .int32(.max), "booked_weight": .int32(.max)])
        try await store("odder", ["booked_containers": 10, "booked_weight": .int32(.min)])
        try await withVessels(at: uri) { vessels in
            let repository = vessels.repository
            #expect(try await repository.tightestFit(1, 1)?.id == "one")
            #expect(try await repository.reserve(10, 1, for: "c1")?.id == "one")
            #expect(try await repository.reserve(10, 1, for: "c2")?.id == "two")
            #expect(try await repository.reserve(10, 1, for: "c3") == nil)
            try await store("late", [:])
            // Changed before it was taken over.
            let changed = try await repository.update(id: "late", deadline: .never) { $0.name = "Late" }
            #expect(changed?.name == "Late")
            try await store("later", [:])
            try await repository.tidy(deadline: .after(.seconds(20)))
            #expect(try await repository.reserve(10, 1, for: "c3")?.id == "late")
            #expect(try await repository.reserve(10, 1, for: "c4")?.id == "later")
            // Changed by a program that does not know what the search goes by.
            try await store("last", [:])
            try await repository.tidy(deadline: .after(.seconds(20)))
            try await other.run(deadline: .after(.seconds(20))) {
                _ = try $0.collection("vessels").update(
                    ["_id": "last"], ["$set": ["capacity": 3]], deadline: .after(.seconds(20)))
            }
            #expect(try await repository.reserve(10, 1, for: "c5") == nil)
            #expect(try await repository.reserve(3, 1, for: "c5")?.id == "last")
        }
        await other.shutdown()
    }

    @Test("the bands and the index of version 1 stay for its pods, and change nothing; nor does their removal")
    func bands() async throws {
        let uri = try await MongoServer.shared.value.uri()
        let deadline = Deadline.after(.seconds(60))
        let address = try MongoAddress(uri)
        let database = address.database
        let old = try MongoStore(address, name: "old", threads: 1, logger: logger) { _ in }
        try old.start()
        try await old.run(deadline: deadline) { connection in
            try connection.ensureIndex(
                "vessels", name: "capacity_1_max_weight_1__id_1", keys: ["capacity": 1, "max_weight": 1, "_id": 1])
            // Too heavy, and without the others of its tree.
            try connection.collection("vessel_bands").insert(
                ["_id": .int64(10), "heaviest": .int32(.max)], deadline: deadline)
            try connection.collection("vessels").insert(
                ["_id": "one", "capacity": 10, "max_weight": 1_000, "available": true], deadline: deadline)
        }
        try await withVessels(at: uri) { vessels in
            let repository = vessels.repository
            _ = try await repository.create(vessel("two", capacity: 20), claim: nil, deadline: deadline)
            #expect(try await repository.tightestFit(10, 1)?.id == "one")
            #expect(try await repository.reserve(10, 1_000, for: "c1")?.id == "one")
            #expect(try await repository.tightestFit(10, 1)?.id == "two")
            #expect(try await repository.tightestFit(21, 1) == nil)
            let isThere = try await old.run(deadline: deadline) {
                try $0.collection("vessel_bands").first(["_id": .int64(10)], deadline: deadline) { _ in true }
            }
            #expect(isThere == true)
            // What an operator does once no pod of version 1 runs.
            try await old.run(deadline: deadline) { connection in
                try connection.run(["drop": "vessel_bands"], database: database)
                try connection.run(
                    ["dropIndexes": "vessels", "index": "capacity_1_max_weight_1__id_1"], database: database)
            }
            try await repository.release("c1", deadline: deadline)
            #expect(try await repository.tightestFit(10, 1)?.id == "one")
        }
        await old.shutdown()
    }
}
