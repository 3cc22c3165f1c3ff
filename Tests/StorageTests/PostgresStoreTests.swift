import Foundation
import RPC
import Storage
import TestSupport
import Testing

@testable import PostgresStorage

/// Against a real server that nobody breaks; each test has a database of its own.
@Suite(.timeLimit(.minutes(10))) struct PostgresStoreTests {
    private static let echo = PostgresQuery("SELECT $1, $2, $3, $4, $5, $6::bigint, $7, $8::text[]")

    private func withItems(threads: Int = 2, _ body: (PostgresStore) async throws -> Void) async throws {
        let uri = try await PostgresServer.shared.value.database()
        try await withPostgres(uri, threads: threads, migrations: Items.migrations, body)
    }

    @Test("values come back as they went, also when they are empty or extreme")
    func values() async throws {
        try await withItems { store in
            for (number, text, bytes) in [(Int64.min, "ö🚢'\"\\", [0, 255]), (0, "", [])] as [(Int64, String, [UInt8])] {
                let isFound = try await store.run(deadline: .never) { connection in
                    try connection.first(
                        Self.echo, .text(text), .integer(number), .flag(true), .bytes(bytes),
                        .time(microseconds: 1_577_934_245_000_006), .null, .text("end"),
                        .texts(["a", "", "c,\"}"])
                    ) { row throws(StorageError) in
                        let numbers = [try row.int64(1), try row.microseconds(4), try row.int64(5)]
                        #expect(numbers == [number, 1_577_934_245_000_006, 0])
                        let flag = try row.bool(2)
                        #expect(flag)
                        #expect(row.string(0) == text)
                        #expect(row.bytes(3) == bytes)
                        #expect(row.isNull(5))
                        #expect(row.string(6) == "end")
                        #expect((try? row.int64(6)) == nil)
                        #expect((try? row.microseconds(1)) == nil)
                        return true
                    }
                }
                #expect(isFound == true)
            }
            let time = try await store.run(deadline: .never) { connection in
                try connection.first(
                    PostgresQuery("SELECT '2020-01-02 03:04:05.000006+00'::timestamptz, 7::int2, 8::int4")
                ) {
                    row throws(StorageError) in [try row.microseconds(0), try row.int64(1), try row.int64(2)]
                }
            }
            #expect(time == [1_577_934_245_000_006, 7, 8])
            let texts = try await store.run(deadline: .never) { connection in
                try connection.all(PostgresQuery("SELECT unnest($1::text[])"), .texts(["a", "", "c,\"}"])) {
                    $0.string(0)
                }
            }
            #expect(texts == ["a", "", "c,\"}"])
        }
    }

    @Test("SQL in a value stays a value")
    func injection() async throws {
        try await withItems { store in
            let attacks = [
                "'); DROP TABLE items; --", "\\'; DELETE FROM items; --", "$1", "a' OR 'a'='a", "%s%n", "\u{1}\u{7f}",
                "/*",
            ]
            for (index, attack) in attacks.enumerated() {
                try await Items.put(store, Int64(index), attack)
                #expect(try await Items.text(store, Int64(index)) == attack)
            }
            let count = try await Items.count(store)
            #expect(count == Int64(attacks.count))
        }
    }

    @Test("a zero byte in a text is an error of that call, and the connection is kept")
    func zeroByte() async throws {
        try await withItems(threads: 1) { store in
            let error = await #expect(throws: StorageError.self) { try await Items.put(store, 1, "a\0b") }
            #expect(error?.kind == .other)
            try await Items.put(store, 1, "ab")
            #expect(store.statistics[0].connected == 1)
        }
    }

    @Test("a taken key is told from other errors with its constraint, and no value is in any text")
    func duplicateKey() async throws {
        try await withItems { store in
            try await Items.put(store, 1, "hunter22")
            let unique = await #expect(throws: StorageError.self) { try await Items.put(store, 2, "hunter22") }
            #expect(unique?.kind == .duplicateKey)
            #expect(unique?.key == "items_text")
            #expect(unique?.message == "a constraint is violated: items_text (SQLSTATE 23505)")
            let primary = await #expect(throws: StorageError.self) { try await Items.put(store, 1, "other") }
            #expect(primary?.key == "items_pkey")
            let cast = await #expect(throws: StorageError.self) {
                try await store.run(deadline: .never) { connection in
                    try connection.run(PostgresQuery("SELECT $1::text::bigint"), .text("hunter22"))
                }
            }
            #expect(cast?.kind == .other)
            #expect(cast?.message.contains("hunter22") == false)
        }
    }

    @Test("a transaction that throws has changed nothing, and the next call finds the connection in order")
    func rollback() async throws {
        try await withItems(threads: 1) { store in
            await #expect(throws: Status.self) {
                try await store.transaction(deadline: .never) { connection in
                    try connection.run(Items.insert, .integer(1), .text("one"))
                    throw Status(.aborted, "changed its mind")
                }
            }
            let count = try await Items.count(store)
            #expect(count == 0)
            try await store.transaction(deadline: .never) { connection in
                try connection.run(Items.insert, .integer(2), .text("two"))
                try connection.run(Items.insert, .integer(3), .text("three"))
            }
            let both = try await Items.count(store)
            #expect(both == 2)
        }
    }

    @Test("a transaction that hides an error of a statement is no success")
    func hiddenError() async throws {
        try await withItems(threads: 1) { store in
            let error = await #expect(throws: StorageError.self) {
                try await store.transaction(deadline: .never) { connection in
                    try connection.run(Items.insert, .integer(1), .text("one"))
                    _ = try? connection.run(Items.insert, .integer(1), .text("twin"))
                }
            }
            #expect(error?.kind == .other)
            let count = try await Items.count(store)
            #expect(count == 0)
        }
    }

    @Test("two transactions that lock each other out are both done in the end")
    func deadlock() async throws {
        try await withItems { store in
            try await Items.put(store, 1, "a")
            try await Items.put(store, 2, "b")
            let meeting = Meeting(of: 2)
            let attempts = Tally()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for (first, second) in [(1, 2), (2, 1)] as [(Int64, Int64)] {
                    tasks.addTask {
                        try await store.transaction(deadline: .after(.seconds(30))) { connection in
                            attempts.add()
                            try connection.run(Items.rename, .integer(first), .text("\(first) by \(first)"))
                            meeting.wait()
                            try connection.run(Items.rename, .integer(second), .text("\(second) by \(first)"))
                        }
                    }
                }
                try await tasks.waitForAll()
            }
            // The second try may get its row before the other one wakes, and be locked out with it once more.
            #expect(attempts.count >= 3)
            let texts = [try await Items.text(store, 1), try await Items.text(store, 2)]
            #expect(texts == ["1 by 1", "2 by 1"] || texts == ["1 by 2", "2 by 2"])
        }
    }

    @Test("serializable transactions that contradict each other are repeated until all have their effect")
    func serialization() async throws {
        try await withItems(threads: 8) { store in
            try await Items.put(store, 1, "0")
            // The first two read before either of them writes.
            let meeting = Meeting(of: 2)
            let attempts = Tally()
            let calls = 8
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<calls {
                    tasks.addTask {
                        try await store.transaction(deadline: .after(.seconds(30))) { connection in
                            try connection.script("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                            attempts.add()
                            let text = try connection.first(Items.find, .integer(1)) { $0.string(0) }
                            let number = text.flatMap { Int($0) } ?? -1
                            meeting.wait()
                            // Nothing tells the pool that this call wraps the error.
                            do { try connection.run(Items.rename, .integer(1), .text("\(number + 1)")) } catch {
                                throw Status(.internal, "wrapped")
                            }
                        }
                    }
                }
                try await tasks.waitForAll()
            }
            #expect(try await Items.text(store, 1) == "\(calls)")
            #expect(attempts.count > calls)
        }
    }

    @Test("a statement that takes too long ends at the call's deadline, on the server as well")
    func statementTimeout() async throws {
        try await withItems(threads: 1) { store in
            let pid = try await store.run(deadline: .never) { connection in
                try connection.first(PostgresQuery("SELECT pg_backend_pid()")) { row throws(StorageError) in
                    try row.int64(0)
                }
            }
            let started = ContinuousClock.now
            let error = await #expect(throws: StorageError.self) {
                try await store.transaction(deadline: .after(.milliseconds(300))) { connection in
                    try connection.run(Items.insert, .integer(1), .text("never"))
                    try connection.run(Items.sleep)
                }
            }
            let took = ContinuousClock.now - started
            #expect(error?.kind == .timeout)
            #expect(took >= .milliseconds(290) && took < .seconds(5), "\(took)")
            let count = try await Items.count(store)
            #expect(count == 0)
            let server = try await PostgresServer.shared.value
            let isGone = try await eventually {
                try await server.sql("SELECT count(*) FROM pg_stat_activity WHERE pid = \(pid ?? 0)") == "0"
            }
            #expect(isGone)
        }
    }

    @Test("a call whose time is over is not sent")
    func expired() async throws {
        try await withItems(threads: 1) { store in
            let error = await #expect(throws: StorageError.self) {
                try await store.run(deadline: .after(.milliseconds(50))) { connection in
                    let end = ContinuousClock.now + .milliseconds(60)
                    while ContinuousClock.now < end { sched_yield() }
                    try connection.run(Items.insert, .integer(1), .text("late"))
                }
            }
            #expect(error?.kind == .timeout)
            let count = try await Items.count(store)
            #expect(count == 0)
        }
    }

    @Test("large values and many rows come whole")
    func large() async throws {
        try await withItems { store in
            let large = String(repeating: "sea ", count: 500_000)
            try await Items.put(store, 1, "large")
            let length = try await store.run(deadline: .after(.seconds(20))) { connection in
                try connection.first(PostgresQuery("SELECT $1::text"), .text(large)) { $0.string(0).utf8.count }
            }
            #expect(length == 2_000_000)
            let rows = try await store.run(deadline: .after(.seconds(20))) { connection in
                try connection.all(PostgresQuery("SELECT generate_series(1, 50000)::bigint")) {
                    row throws(StorageError) in try row.int64(0)
                }
            }
            #expect(rows.count == 50_000 && rows.last == 50_000)
        }
    }

    @Test("queries beyond those that a connection keeps work too")
    func manyQueries() async throws {
        try await withItems(threads: 1) { store in
            for number in 0..<Int64(PostgresQuery.preparedCountMax + 10) {
                let query = PostgresQuery("SELECT $1 + 0")
                let answer = try await store.run(deadline: .never) { connection in
                    try connection.first(query, .integer(number)) { row throws(StorageError) in try row.int64(0) }
                }
                #expect(answer == number)
            }
        }
    }
}
