import Contracts
import Idempotency
import MongoStorage
import RPC
import Runtime
import SQLiteStorage
import TestSupport
import Testing

@testable import VesselService

/// Version 1's keys.
@Suite(.timeLimit(.minutes(10))) struct VersionOneKeysTests {
    private static let ann = UserStandIn.token(of: "ann")
    private let deadline = Deadline.after(.seconds(60))

    private func withHandlers(
        _ kind: StoreKind, _ body: (VesselHandlers, VesselStore) async throws -> Void
    ) async throws {
        try await withVessels(kind) { vessels in
            let users = try await UserStandIn.start()
            let handlers = VesselHandlers(
                repository: vessels.repository, authenticator: Authenticator(users: users.client))
            let result = await Result(catching: { try await body(handlers, vessels) })
            await users.stop()
            try result.get()
        }
    }

    /// Stores a vessel and its key as version 1 did, which left `false` out of a message.
    private func store(
        _ id: String, of request: Vessel_Vessel, key: String, token: String, in vessels: VesselStore
    ) async throws -> Vessel_Vessel {
        var request = request
        if !request.available { request.clearAvailable() }
        var stored = request
        stored.id = id
        let requestBytes: [UInt8] = try request.serializedBytes()
        let bytes: [UInt8] = try stored.serializedBytes()
        let scope = SHA256.digest(VesselMethods.create.path.utf8) + SHA256.digest(token.utf8)
        let claim = IdempotencyClaim(
            id: SHA256.digest(scope + SHA256.digest(key.utf8)), fingerprint: SHA256.digest(requestBytes))
        if let store = vessels.store as? SQLiteStore {
            _ = try await vessels.repository.create(stored, claim: nil, deadline: deadline)
            try await store.write(deadline: deadline) {
                try SQLiteVesselRepository.keys.keep(claim, answer: bytes, $0)
            }
            return stored
        }
        let store = try #require(vessels.store as? MongoStore)
        try await store.run(deadline: deadline) { [stored] connection in
            try connection.collection("vessel_keys").insert(
                [
                    "_id": .binary(claim.id), "fingerprint": .binary(claim.fingerprint), "vessel": .binary(bytes),
                    "attempt": .string("attempt \(id)"), "created_at": .date(milliseconds: WallClock.seconds * 1_000),
                ], deadline: deadline)
            try connection.collection("vessels").insert(
                [
                    "_id": .string(id), "capacity": .int32(stored.capacity), "max_weight": .int32(stored.maxWeight),
                    "name": .string(stored.name), "available": .bool(stored.available), "owner_id": "",
                    "attempt": .string("attempt \(id)"),
                ], deadline: deadline)
        }
        return stored
    }

    @Test(
        "a Create that version 1 answered for a token gets the same answer, and stores nothing",
        arguments: StoreKind.allCases)
    func token(kind: StoreKind) async throws {
        try await withHandlers(kind) { handlers, vessels in
            let old = try await store("old", of: vessel(), key: "k", token: Self.ann, in: vessels)
            for _ in 0..<2 {
                let answer = try await handlers.create(vessel(), context(key: "k", token: Self.ann))
                #expect(answer.created && answer.vessel == old)
            }
            let refused = await status {
                try await handlers.create(vessel(capacity: 77), context(key: "k", token: Self.ann))
            }
            #expect(refused.code == .aborted)
            #expect(try await vessels.repository.all().count == 1)
            let bobs = try await handlers.create(vessel(), context(key: "k", token: UserStandIn.token(of: "bob")))
            #expect(bobs.vessel.id != "old" && bobs.vessel.ownerID == "bob")
        }
    }

    @Test(
        "version 1's key of a request that is not available, or does not say so, is that of both",
        arguments: StoreKind.allCases)
    func availability(kind: StoreKind) async throws {
        var away = vessel()
        away.available = false
        var silent = vessel()
        silent.clearAvailable()
        try await withHandlers(kind) { [away, silent] handlers, vessels in
            let old = try await store("old", of: away, key: "k", token: Self.ann, in: vessels)
            let repeated = context(key: "k", token: Self.ann)
            for request in [away, silent] {
                let answer = try await handlers.create(request, repeated)
                #expect(answer.vessel == old)
            }
            let refused = await status { try await handlers.create(vessel(), repeated) }
            #expect(refused.code == .aborted)
            #expect(try await vessels.repository.all().count == 1)
        }
    }

    @Test("keys of this version tell not available from nothing said", arguments: StoreKind.allCases)
    func ownKeys(kind: StoreKind) async throws {
        var away = vessel()
        away.available = false
        var silent = vessel()
        silent.clearAvailable()
        try await withHandlers(kind) { [away, silent] handlers, _ in
            for (key, first, second) in [("a", away, silent), ("s", silent, away)] {
                for token in [nil, Self.ann] {
                    let call = context(key: key, token: token)
                    let answer = try await handlers.create(first, call)
                    #expect(try await handlers.create(first, call) == answer)
                    let refused = await status { try await handlers.create(second, call) }
                    #expect(refused.code == .aborted)
                }
            }
        }
    }
}
