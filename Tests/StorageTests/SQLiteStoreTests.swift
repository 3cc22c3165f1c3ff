import Foundation
import Logging
import RPC
import Storage
import TestSupport
import Testing

@testable import SQLiteStorage

@Suite(.timeLimit(.minutes(10))) struct SQLiteStoreTests {
    private static let migrations = ["CREATE TABLE items (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)"]
    private static let insert = SQLiteQuery("INSERT INTO items VALUES (?1, ?2)")
    private static let find = SQLiteQuery("SELECT text FROM items WHERE id = ?1")
    private static let count = SQLiteQuery("SELECT count(*) FROM items")
    private static let echo = SQLiteQuery("SELECT ?1, ?2, ?3, ?4, NULL")

    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func store(_ file: String = "test.sqlite", migrations: [String] = migrations) throws -> SQLiteStore {
        try SQLiteStore(path: folder.file(file), name: "test", migrations: migrations, logger: Logger(label: "test"))
    }

    private func withStore(
        _ file: String = "test.sqlite", _ body: (SQLiteStore) async throws -> Void
    ) async throws {
        let store = try store(file)
        try store.start()
        #expect(await eventually { store.isReady })
        do { try await body(store) } catch {
            await store.shutdown()
            throw error
        }
        await store.shutdown()
    }

    private func put(_ store: SQLiteStore, _ id: Int, _ text: String) async throws {
        try await store.write(deadline: .never) {
            _ = try $0.statement(Self.insert).bind(1, id).bind(2, text).run()
        }
    }

    private func text(_ store: SQLiteStore, _ id: Int) async throws -> String? {
        try await store.read(deadline: .never) { try $0.statement(Self.find).bind(1, id).first { $0.string(0) } }
    }

    @Test("what is made is for its owner alone")
    func isPrivate() async throws {
        try await withStore { store in
            try await put(store, 1, "secret")
            let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            #expect(files.count >= 2)
            for file in files {
                let mode =
                    try FileManager.default.attributesOfItem(atPath: folder.file(file))[.posixPermissions] as? Int
                #expect(mode == 0o600, "\(file)")
            }
        }
    }

    @Test("what was written is read at once, and after the store was opened again")
    func survivesReopening() async throws {
        try await withStore { store in
            for id in 0..<200 {
                try await put(store, id, "item \(id)")
                #expect(try await text(store, id) == "item \(id)")
            }
        }
        try await withStore { store in
            let found = try await text(store, 199)
            #expect(found == "item 199")
        }
    }

    @Test("folders that are missing are made")
    func makesFolders() async throws {
        try await withStore("deep/down/test.sqlite") { store in try await put(store, 1, "here") }
        #expect(FileManager.default.fileExists(atPath: folder.file("deep/down/test.sqlite")))
    }

    @Test("writes at the same time share transactions, and one that fails undoes nothing of the others")
    func isolation() async throws {
        try await withStore { store in
            let failures = await withTaskGroup(of: Bool.self) { tasks in
                for id in 0..<300 {
                    tasks.addTask {
                        do {
                            try await store.write(deadline: .never) { connection in
                                _ = try connection.statement(Self.insert).bind(1, id).bind(2, "item \(id)").run()
                                if id % 3 == 0 { throw Status(.aborted, "changed its mind") }
                            }
                            return false
                        } catch { return true }
                    }
                }
                return await tasks.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(failures == 100)
            let stored = try await store.read(deadline: .never) {
                try $0.statement(Self.count).first { $0.int64(0) }
            }
            #expect(stored == 200)
            #expect(try await text(store, 3) == nil)
            #expect(try await text(store, 4) == "item 4")
        }
    }

    @Test("reads that wait together share a transaction, and one that fails or is cancelled undoes none of the others")
    func readsTogether() async throws {
        try await withStore { store in
            try await put(store, 1, "one")
            let read: @Sendable (Int) async throws -> String? = { id in
                try await store.read(deadline: .never) {
                    try $0.statement(Self.find).bind(1, id).first { $0.string(0) }
                }
            }
            let isHeld = Monitor(true)
            defer { isHeld.withLock { $0 = false } }
            let hasBegun = Monitor(false)
            let first = Task {
                try await store.read(deadline: .never) { _ -> Int in
                    hasBegun.withLock { $0 = true }
                    while isHeld.withLock({ $0 }) { sched_yield() }
                    return 1
                }
            }
            // Alone in its batch, as the others come later.
            #expect(await eventually { hasBegun.withLock { $0 } })
            let good = (0..<4).map { _ in Task { try await read(1) } }
            let failing = Task { try await store.read(deadline: .never) { try $0.execute("SELECT * FROM nothing") } }
            let leaving = Task { try await read(1) }
            #expect(await eventually { store.statistics.contains { $0.queued == 6 } })
            leaving.cancel()
            await #expect(throws: CancellationError.self) { try await leaving.value }
            // Answered before those that wait have begun, so that they see it.
            try await put(store, 2, "two")
            let last = Task { try await read(2) }
            #expect(await eventually { store.statistics.contains { $0.queued == 7 } })
            isHeld.withLock { $0 = false }
            #expect(try await first.value == 1)
            for task in good { #expect(try await task.value == "one") }
            await #expect(throws: StorageError.self) { try await failing.value }
            #expect(try await last.value == "two")
            try await put(store, 3, "three")
            #expect(try await read(3) == "three")
        }
    }

    @Test("a taken key is told from other errors")
    func duplicateKey() async throws {
        try await withStore { store in
            try await put(store, 1, "one")
            let primary = await #expect(throws: StorageError.self) { try await put(store, 1, "other") }
            #expect(primary?.kind == .duplicateKey)
            let unique = await #expect(throws: StorageError.self) { try await put(store, 2, "one") }
            #expect(unique?.kind == .duplicateKey)
            let wrong = await #expect(throws: StorageError.self) {
                try await store.write(deadline: .never) { try $0.execute("INSERT INTO nowhere VALUES (1)") }
            }
            #expect(wrong?.kind == .other)
        }
    }

    @Test("values come back as they went, also when they are empty or hold a zero")
    func values() async throws {
        try await withStore { store in
            let blob: [UInt8] = [0, 255, 1]
            try await store.read(deadline: .never) { connection in
                let statement = try connection.statement(Self.echo)
                try statement.bind(1, Int64.min).bind(2, "a\0ö").bind(3, blob).bind(4, "").first { row in
                    #expect((0..<5).map { row.isNull($0) } == [false, false, false, false, true])
                    #expect(row.int64(0) == .min)
                    #expect(row.string(1) == "a\0ö")
                    #expect(row.bytes(2) == blob)
                    #expect(row.string(3) == "")
                    #expect(row.string(4) == "")
                }
            }
        }
    }

    @Test("a full disk fails the write with a clear error, and later writes work again")
    func full() async throws {
        try await withStore { store in
            try await store.write(deadline: .never) { _ in }
            try await put(store, 1, "one")
            _ = try await store.write(deadline: .never) { try $0.execute("PRAGMA max_page_count = 10") }
            let error = await #expect(throws: StorageError.self) {
                try await put(store, 2, String(repeating: "x", count: 100_000))
            }
            #expect(error?.kind == .full)
            #expect(error?.status.code == .resourceExhausted)
            #expect(try await text(store, 1) == "one")
            _ = try await store.write(deadline: .never) { try $0.execute("PRAGMA max_page_count = 1000") }
            try await put(store, 3, String(repeating: "x", count: 100_000))
        }
    }

    @Test("a file that is no database is refused with its path, and is left as it is")
    func notADatabase() async throws {
        let path = folder.file("notes.txt")
        let text = String(repeating: "these are notes\n", count: 100)
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let store = try store("notes.txt")
        try store.start()
        #expect(await eventually { store.permanentFailure != nil })
        #expect(store.permanentFailure?.message == "\(path): file is not a database (SQLite code 26)")
        #expect(!store.isReady)
        await store.shutdown()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
    }

    @Test("a folder in place of a file, and a file in place of a folder, are refused")
    func wrongPlaces() async throws {
        try FileManager.default.createDirectory(atPath: folder.file("folder"), withIntermediateDirectories: true)
        try "x".write(toFile: folder.file("file"), atomically: true, encoding: .utf8)
        for place in ["folder", "file/test.sqlite"] {
            let store = try store(place)
            try store.start()
            #expect(await eventually { store.permanentFailure != nil }, "\(place)")
            await store.shutdown()
        }
    }

    @Test("a path that can't be one is refused before anything starts", arguments: ["", ":memory:", "folder/"])
    func badPath(path: String) throws {
        #expect(throws: StorageError.self) {
            try SQLiteStore(path: path, name: "test", migrations: [], logger: Logger(label: "test"))
        }
    }

    @Test("new migrations run once on an old file, and a file of a newer program is refused")
    func migrations() async throws {
        try await withStore { store in try await put(store, 1, "old") }
        let newer = Self.migrations + ["INSERT INTO items VALUES (2, 'new')"]
        for _ in 0..<2 {
            let store = try store(migrations: newer)
            try store.start()
            #expect(await eventually { store.isReady })
            #expect(try await text(store, 1) == "old")
            #expect(try await text(store, 2) == "new")
            await store.shutdown()
        }
        let older = try store()
        try older.start()
        #expect(await eventually { older.permanentFailure != nil })
        await older.shutdown()
    }

    @Test("a file that another connection holds is waited for")
    func locked() async throws {
        try await withStore { first in
            try await withStore { second in
                async let slow: Void = first.write(deadline: .never) { connection in
                    _ = try connection.statement(Self.insert).bind(1, 1).bind(2, "first").run()
                    let end = ContinuousClock.now + .milliseconds(100)
                    while ContinuousClock.now < end { sched_yield() }
                }
                try await put(second, 2, "second")
                try await slow
                #expect(try await text(first, 2) == "second")
                #expect(try await text(second, 1) == "first")
            }
        }
    }
}
