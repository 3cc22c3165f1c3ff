import Foundation
import Logging
import RPC
import Storage
import TestSupport
import Testing

@testable import MongoStorage

/// Against a real server, which the tests break and end, so one after another.
@Suite(.serialized, .timeLimit(.minutes(10))) struct MongoStoreTests {
    private let server: MongoServer

    init() async throws { server = try await Self.breakable.value }

    private static let breakable = Task { try await MongoServer() }

    private func withStore(
        _ uri: String? = nil, threads: Int = 2, _ body: (MongoStore) async throws -> Void
    ) async throws {
        let store = try MongoStore(
            try MongoAddress(uri ?? server.uri()), name: "test", threads: threads, logger: Logger(label: "test")
        ) { connection in try connection.ensureIndex("items", name: "text_1", keys: ["text": 1]) }
        try store.start()
        #expect(await eventually(within: .seconds(20)) { store.isReady })
        do { try await body(store) } catch {
            await store.shutdown()
            throw error
        }
        await store.shutdown()
    }

    private func put(_ store: MongoStore, _ id: Int32, _ text: String = "text") async throws {
        try await store.run(deadline: .never) {
            try $0.collection("items").insert(["_id": .int32(id), "text": .string(text)], deadline: .never)
        }
    }

    private func text(_ store: MongoStore, _ id: Int32) async throws -> String? {
        try await store.run(deadline: .never) {
            try $0.collection("items").first(["_id": .int32(id)], deadline: .never) { $0.string("text") }
        }
    }

    private func fail(_ store: MongoStore, times: Int32, _ data: BSONFields) async throws {
        try await store.run(deadline: .never) { connection in
            try connection.run(
                [
                    "configureFailPoint": "failCommand", "mode": ["times": .int32(times)],
                    "data": .document(data.fields),
                ], database: "admin")
        }
    }

    @Test("documents come back as they went")
    func values() async throws {
        try await withStore { store in
            try await store.run(deadline: .never) { connection in
                let items = connection.collection("items")
                try items.insert(
                    [
                        "_id": 1, "number": .int64(.min), "flag": true, "text": "a\0ö", "empty": "",
                        "bytes": .binary([0, 255]), "list": [1, "two"], "inner": ["deep": 3],
                    ], deadline: .after(.seconds(5)))
                let isFound = try items.first(["inner": ["deep": 3]], deadline: .never) { document in
                    #expect(document.int64("number") == .min)
                    #expect(document.bool("flag"))
                    #expect(document.string("text") == "a\0ö")
                    #expect(document.string("empty") == "")
                    #expect(document.binary("bytes") == [0, 255])
                    #expect(document.string("missing") == "")
                    #expect(document.int32("text") == 0)
                    return true
                }
                #expect(isFound == true)
                #expect(try items.delete(["_id": 1], deadline: .never))
                #expect(try !items.delete(["_id": 1], deadline: .never))
            }
        }
    }

    @Test("a taken key is told from other errors, and the connection is kept")
    func duplicateKey() async throws {
        try await withStore { store in
            try await put(store, 1, "first")
            let error = await #expect(throws: StorageError.self) { try await put(store, 1, "second") }
            #expect(error?.kind == .duplicateKey)
            #expect(try await text(store, 1) == "first")
            #expect(store.isReady)
        }
    }

    @Test("many are inserted on their own, and those are named whose key was taken")
    func insertsMany() async throws {
        try await withStore { store in
            try await put(store, 2, "first")
            try await put(store, 4, "first")
            let taken = try await store.run(deadline: .never) { connection in
                try connection.collection("items").insertAll(
                    (1...5).map { ["_id": .int32($0), "text": "second"] }, deadline: .after(.seconds(10)))
            }
            #expect(taken == [1, 3])
            #expect(try await text(store, 2) == "first")
            #expect(try await text(store, 5) == "second")
            let none = try await store.run(deadline: .never) { connection in
                try connection.collection("items").insertAll([["_id": 6]], deadline: .never)
            }
            #expect(none.isEmpty)
        }
    }

    @Test("a write that no majority has in time is no success, and a taken key beside it is not told")
    func noMajority() async throws {
        try await withStore { store in
            try await put(store, 1)
            try await fail(
                store, times: 3,
                ["failCommands": ["insert"], "writeConcernError": ["code": 64, "errmsg": "no majority in time"]])
            for ids in [[2], [1], [1, 3]] as [[Int32]] {
                let error = await #expect(throws: StorageError.self, "\(ids)") {
                    try await store.run(deadline: .never) { connection in
                        _ = try connection.collection("items").insertAll(
                            ids.map { ["_id": .int32($0)] }, deadline: .after(.seconds(10)))
                    }
                }
                #expect(error?.kind == .timeout, "\(ids)")
            }
        }
    }

    @Test("many are updated, and those that are not there are not made")
    func updatesMany() async throws {
        try await withStore { store in
            try await put(store, 11, "old")
            try await put(store, 12, "old")
            try await store.run(deadline: .never) { connection in
                try connection.collection("items").updateAll(
                    (11...13).map { (["_id": .int32($0)], ["$set": ["text": .string("new \($0)")]]) },
                    deadline: .after(.seconds(10)))
            }
            #expect(try await text(store, 11) == "new 11")
            #expect(try await text(store, 12) == "new 12")
            #expect(try await text(store, 13) == nil)
        }
    }

    @Test("an update with a deadline says whether there was such a document; a late one is not sent")
    func updates() async throws {
        try await withStore { store in
            try await put(store, 21, "old")
            let answers = try await store.run(deadline: .never) { connection in
                let items = connection.collection("items")
                let isThere = try items.update(
                    ["_id": 21], ["$set": ["text": "new"]], deadline: .after(.seconds(10)))
                let isMissing = try !items.update(
                    ["_id": 22], ["$set": ["text": "new"]], deadline: .after(.seconds(10)))
                return isThere && isMissing
            }
            #expect(answers)
            #expect(try await text(store, 21) == "new")
            #expect(try await text(store, 22) == nil)
            let late = await #expect(throws: StorageError.self) {
                try await store.run(deadline: .never) {
                    try $0.collection("items").update(["_id": 21], ["$set": ["text": "x"]], deadline: .after(.zero))
                }
            }
            #expect(late?.kind == .timeout)
        }
    }

    @Test("of many that take documents at the same time, each gets its own, in order; then there is none")
    func takes() async throws {
        try await withStore { store in
            for id in 31...40 as ClosedRange<Int32> { try await put(store, id, "free") }
            let taken = try await withThrowingTaskGroup(of: [Int32].self) { tasks in
                for _ in 0..<2 {
                    tasks.addTask {
                        try await store.run(deadline: .never) { connection in
                            var mine: [Int32] = []
                            while let id = try connection.collection("items").findAndUpdate(
                                ["text": "free"], sort: ["_id": 1],
                                ["$set": ["text": "taken", "at": .date(milliseconds: 5)]],
                                deadline: .after(.seconds(10)),
                                { $0.string("text") == "taken" && $0.date("at") == 5 ? $0.int32("_id") : -1 })
                            { mine.append(id) }
                            return mine
                        }
                    }
                }
                return try await tasks.reduce(into: [Int32]()) { all, mine in
                    #expect(mine == mine.sorted())
                    all += mine
                }
            }
            #expect(taken.sorted() == Array(31...40))
            let counts = try await store.run(deadline: .never) { connection in
                let items = connection.collection("items")
                return [
                    try items.count(["text": "taken"], limit: 100, deadline: .after(.seconds(10))),
                    try items.count(["text": "taken"], limit: 3, deadline: .never),
                    try items.count(["text": "none"], limit: 3, deadline: .never),
                ]
            }
            #expect(counts == [10, 3, 0])
        }
    }

    @Test("a connection that is closed in the middle of a write costs nothing: the driver repeats the write once")
    func closedOnce() async throws {
        try await withStore { store in
            try await fail(store, times: 1, ["failCommands": ["insert"], "closeConnection": true])
            try await put(store, 1, "once")
            #expect(try await text(store, 1) == "once")
        }
    }

    @Test("a connection that keeps closing makes the write UNAVAILABLE, and the pool connects again")
    func closedTwice() async throws {
        try await withStore { store in
            try await fail(store, times: 2, ["failCommands": ["insert"], "closeConnection": true])
            let error = await #expect(throws: StorageError.self) { try await put(store, 1) }
            #expect(error?.kind == .connectionLost)
            #expect(error?.status.code == .unavailable)
            #expect(await eventually { store.statistics[0].connected == 2 })
            try await put(store, 2, "later")
            #expect(try await text(store, 2) == "later")
        }
    }

    @Test("a server that says it is not the primary is left, and writes work when it is again")
    func notPrimary() async throws {
        // A real server tells the driver at once that it is primary again; one that only pretends is asked at the next heartbeat.
        try await withStore(server.uri(options: "heartbeatFrequencyMS=500")) { store in
            try await fail(
                store, times: 2,
                ["failCommands": ["insert"], "errorCode": 10107, "errorLabels": ["RetryableWriteError"]])
            let error = await #expect(throws: StorageError.self) { try await put(store, 1) }
            #expect(error?.kind == .connectionLost)
            #expect(await eventually { store.statistics[0].connected == 2 })
            try await put(store, 2, "later")
        }
    }

    @Test("a server that is slow is given up at the call's deadline")
    func slow() async throws {
        try await withStore(server.uri(options: "socketTimeoutMS=500")) { store in
            try await put(store, 1)
            try await fail(
                store, times: 1, ["failCommands": ["find"], "blockConnection": true, "blockTimeMS": 8_000])
            let started = ContinuousClock.now
            let call = Task { try await text(store, 1) }
            Task {
                try await Task.sleep(for: .milliseconds(100))
                call.cancel()
            }
            await #expect(throws: CancellationError.self) { try await call.value }
            #expect(ContinuousClock.now - started < .seconds(6))
            #expect(await eventually { store.statistics[0].running == 0 && store.statistics[0].connected == 2 })
            #expect(try await text(store, 1) == "text")
        }
    }

    @Test("a server that dies makes the store not ready with a reason, and its return is noticed")
    func restart() async throws {
        try await withStore(server.uri(options: "serverSelectionTimeoutMS=300")) { store in
            try await put(store, 1, "kept")
            server.kill()
            let error = await #expect(throws: StorageError.self) { try await put(store, 2) }
            #expect(error?.status.code == .unavailable)
            #expect(await eventually(within: .seconds(20)) { !store.isReady })
            #expect(store.lastError != nil)
            #expect(store.permanentFailure == nil)
            try await server.start()
            #expect(await eventually(within: .seconds(30)) { store.isReady })
            #expect(try await text(store, 1) == "kept")
        }
    }

    @Test("a server that is not there yet is waited for")
    func notThereYet() async throws {
        server.kill()
        let store = try MongoStore(
            try MongoAddress(server.uri(options: "serverSelectionTimeoutMS=200")), name: "test", threads: 1,
            logger: Logger(label: "test")
        ) { _ in }
        try store.start()
        #expect(await eventually { store.lastError != nil })
        #expect(!store.isReady)
        #expect(store.permanentFailure == nil)
        try await server.start()
        #expect(await eventually(within: .seconds(30)) { store.isReady })
        await store.shutdown()
    }

    @Test("wrong credentials and missing ones are permanent failures, and show no password")
    func credentials() async throws {
        let guarded = try await MongoServer(needsCredentials: true)
        let port = guarded.port
        for uri in ["mongodb://captain:hunter22@127.0.0.1:\(port)/?authSource=admin", "127.0.0.1:\(port)"] {
            let store = try MongoStore(
                try MongoAddress(uri), name: "test", threads: 1, logger: Logger(label: "test")
            ) { try $0.ensureIndex("items", name: "text_1", keys: ["text": 1]) }
            try store.start()
            #expect(
                await eventually(within: .seconds(20)) { store.permanentFailure != nil },
                "\(store.lastError ?? "no error")")
            #expect(store.permanentFailure?.kind == .accessDenied)
            #expect(store.permanentFailure?.message.contains("hunter22") == false)
            await store.shutdown()
        }
        guarded.kill()
    }
}
