import Contracts
import Idempotency
import RPC
import SQLiteStorage
import TestSupport
import Testing

@testable import VesselService

@Suite(.timeLimit(.minutes(10))) struct IdempotencyTests {
    @Test("a repeat answers what the first call answered and stores nothing", arguments: StoreKind.allCases)
    func repeats(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let handlers = vesselHandlers(vessels)
            let first = try await handlers.create(vessel(capacity: 7), context(key: "k"))
            let second = try await handlers.create(vessel(capacity: 7), context(key: "k"))
            #expect(first == second)
            #expect(second.created)
            let other = try await handlers.create(vessel(capacity: 7), context(key: "other"))
            #expect(other.vessel.id != first.vessel.id)
            let without = try await handlers.create(vessel(capacity: 7), context())
            #expect(without.vessel.id != first.vessel.id)
        }
    }

    @Test("the same key with another request is ABORTED, also while an id is given", arguments: StoreKind.allCases)
    func otherRequest(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let handlers = vesselHandlers(vessels)
            let first = try await handlers.create(vessel("a"), context(key: "k"))
            let refused = await status { try await handlers.create(vessel("b"), context(key: "k")) }
            #expect(refused.code == .aborted)
            #expect(try await handlers.create(vessel("a"), context(key: "k")) == first)
        }
    }

    @Test("a key belongs to the caller who shows the token", arguments: StoreKind.allCases)
    func scope(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let handlers = vesselHandlers(vessels)
            let ann = try await handlers.create(vessel(), context(key: "k", token: "ann"))
            let bob = try await handlers.create(vessel(), context(key: "k", token: "bob"))
            let nobody = try await handlers.create(vessel(), context(key: "k"))
            #expect(Set([ann.vessel.id, bob.vessel.id, nobody.vessel.id]).count == 3)
            #expect(try await handlers.create(vessel(), context(key: "k", token: "ann")) == ann)
        }
    }

    @Test("a key answers for a day at least, and is gone and free again after it")
    func retention() async throws {
        #expect(IdempotencyClaim.retentionSeconds >= 24 * 3600)
        try await withVessels(.sqlite) { vessels in
            let handlers = vesselHandlers(vessels)
            let store = try #require(vessels.store as? SQLiteStore)
            func age(hours: Int64) async throws {
                try await store.write(deadline: .after(.seconds(10))) { connection in
                    let query = SQLiteQuery("UPDATE idempotency_keys SET created_at = created_at - ?1")
                    try connection.statement(query).bind(1, hours * 3600).run()
                }
            }
            let first = try await handlers.create(vessel(), context(key: "k"))
            try await age(hours: 24)
            #expect(try await handlers.create(vessel(), context(key: "k")) == first)
            try await age(hours: 2)
            let later = try await handlers.create(vessel(), context(key: "k"))
            #expect(later.vessel.id != first.vessel.id)
            // The old record made room for the new one, which answers from here on.
            #expect(try await handlers.create(vessel(), context(key: "k")) == later)
        }
    }

    @Test(
        "of many calls with one key at the same time, one stores and all answer the same", arguments: StoreKind.allCases
    )
    func race(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let handlers = vesselHandlers(vessels)
            for id in ["", "given"] {
                let answers = try await withThrowingTaskGroup(of: Vessel_Response.self) { tasks in
                    for _ in 0..<12 {
                        tasks.addTask { try await handlers.create(vessel(id, capacity: 9), context(key: "race\(id)")) }
                    }
                    return try await tasks.reduce(into: Set<Vessel_Response>()) { $0.insert($1) }
                }
                #expect(answers.count == 1)
            }
        }
    }

    @Test(
        "an id that belongs to another vessel is refused with a key too, and the key is free again",
        arguments: StoreKind.allCases)
    func idTaken(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let handlers = vesselHandlers(vessels)
            _ = try await handlers.create(vessel("taken"), context())
            for _ in 0..<2 {
                let refused = await status { try await handlers.create(vessel("taken"), context(key: "k")) }
                #expect(refused.code == .alreadyExists)
            }
            let free = try await handlers.create(vessel("free"), context(key: "k"))
            #expect(free.vessel.id == "free")
        }
    }

    @Test("keys have 1 to 255 bytes", arguments: StoreKind.allCases)
    func keyLength(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let handlers = vesselHandlers(vessels)
            let longest = String(repeating: "k", count: 255)
            #expect(await status { try await handlers.create(vessel(), context(key: longest)) } == .ok)
            // One character of many bytes is not a short key.
            let marks = "a" + String(repeating: "\u{301}", count: 200)
            for key in ["", longest + "k", marks] {
                let refused = await status { try await handlers.create(vessel(), context(key: key)) }
                #expect(refused.code == .invalidArgument)
            }
        }
    }

    @Test("a token is found in both headers, and neither token nor key is part of what is stored")
    func claims() throws {
        let bearer: Metadata = ["idempotency-key": "key", "authorization": "bearer tok"]
        let plain: Metadata = ["idempotency-key": "key", "token": "tok"]
        let other: Metadata = ["idempotency-key": "keyt", "token": "ok"]
        let ids = try [bearer, plain, other].map { metadata in
            try IdempotencyClaim(vessel(), RequestContext(path: "/x", metadata: metadata))?.id
        }
        #expect(ids[0] == ids[1])
        #expect(ids[0] != ids[2])
        #expect(ids[0]?.count == 32)
        #expect(try IdempotencyClaim(vessel(), RequestContext(path: "/x")) == nil)
    }

    @Test("SHA-256 gives the digest that the standard prints")
    func digest() {
        let hex = SHA256.digest("abc".utf8).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        #expect(hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }
}
