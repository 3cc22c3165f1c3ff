import Contracts
import Idempotency
import Logging
import RPC
import TestSupport
import Testing

@testable import ConsignmentService
@testable import MongoStorage

/// Idempotency keys in MongoDB that are old: expired, or of version 1.
@Suite(.timeLimit(.minutes(10))) struct MongoKeyTests {
    private let deadline = Deadline.after(.seconds(60))

    /// - Parameter prepare: run before the service connects.
    private func withRepository(
        prepare: @escaping @Sendable (MongoConnection) throws -> Void = { _ in },
        _ body: (MongoConsignmentRepository) async throws -> Void
    ) async throws {
        let uri = try await MongoServer.shared.value.uri()
        let control = try MongoStore(
            try MongoAddress(uri), name: "control", threads: 1, logger: Logger(label: "test")
        ) { _ in }
        try control.start()
        let result = await Result(catching: { try await control.run(deadline: deadline, prepare) })
        await control.shutdown()
        try result.get()
        try await withConsignments(at: uri) { consignments in
            try await body(try #require(consignments.repository as? MongoConsignmentRepository))
        }
    }

    private func begin(
        _ repository: MongoConsignmentRepository, _ claim: IdempotencyClaim
    ) async throws -> Booking {
        try await repository.begin(consignment(), userID: "user001", claim: claim, deadline: deadline)
    }

    @Test("a key is free after its day, and what it stood for stays")
    func expiry() async throws {
        try await withRepository { repository in
            let key = try claim("k", of: consignment())
            let first = try await begin(repository, key)
            func age(_ seconds: Int64) async throws {
                try await repository.store.run(deadline: deadline) {
                    _ = try $0.collection("consignments").update(
                        ["_id": .string(first.id)],
                        ["$set": ["keyed_at": .date(milliseconds: (WallClock.seconds - seconds) * 1_000)]],
                        deadline: deadline)
                }
            }
            try await age(24 * 3_600)
            #expect(try await begin(repository, key) == first)
            try await age(IdempotencyClaim.retentionSeconds + 1)
            // Whoever finds it expired: a search, or a new intent.
            let second = try await begin(repository, key)
            #expect(second.id != first.id)
            #expect(try await repository.booking(of: key, deadline: deadline) == second)
            #expect(try await repository.booking(id: first.id, deadline: deadline)?.key == [])
            let other = try claim("k", of: consignment("another"))
            let refused = await status { try await repository.booking(of: other, deadline: deadline) }
            #expect(refused.code == .aborted)
        }
    }

    @Test("a key of version 1 answers what version 1 answered")
    func versionOne() async throws {
        let key = try claim("k", of: consignment())
        let halfWay = try claim("half-way", of: consignment())
        let first = Consignment_Consignment.with {
            $0 = consignment()
            $0.id = OrderedIdentifiers().next()
            $0.vesselID = "vessel001"
        }
        try await withRepository(prepare: { connection in
            for (claim, id) in [(key, first.id), (halfWay, OrderedIdentifiers().next())] {
                var stored = first
                stored.id = id
                try connection.collection("consignment_keys").insert(
                    [
                        "_id": .binary(claim.id), "fingerprint": .binary(claim.fingerprint),
                        "consignment": .binary(try stored.serializedBytes()), "user_id": "user001",
                        "created_at": .date(milliseconds: WallClock.seconds * 1_000),
                    ], deadline: .never)
            }
            try connection.collection("consignments").insert(
                [
                    "_id": .string(first.id), "description": .string(first.description_p),
                    "weight": .int32(first.weight), "containers": [], "vessel_id": .string(first.vesselID),
                    "user_id": "user001",
                ], deadline: .never)
        }) { repository in
            let found = try #require(try await repository.booking(of: key, deadline: deadline))
            #expect(found.id == first.id && found.state == .uncounted && found.vesselID == "vessel001")
            #expect(try await begin(repository, key) == found)
            let other = try claim("k", of: consignment("another"))
            for search in [true, false] {
                let refused = await status {
                    search
                        ? try await repository.booking(of: other, deadline: deadline)
                        : try await begin(repository, other)
                }
                #expect(refused.code == .aborted)
            }
            // Of a call that ended before it stored its consignment, and so without an answer.
            #expect(try await repository.booking(of: halfWay, deadline: deadline) == nil)
            let booking = try await begin(repository, halfWay)
            #expect(try await begin(repository, halfWay) == booking)
        }
    }
}
