import Foundation
import Logging
import RPC
import Storage
import Synchronization
import TestSupport
import Testing

@testable import PostgresStorage

/// Lends a store at an address, ready for calls.
func withPostgres(
    _ uri: String, threads: Int = 2, migrations: [PostgresMigration] = [], channel: String? = nil,
    _ body: (PostgresStore) async throws -> Void
) async throws {
    let store = PostgresStore(
        try PostgresAddress(uri), name: "test", threads: threads, migrations: migrations, channel: channel,
        logger: Logger(label: "test"))
    try store.start()
    let isReady = await eventually(within: .seconds(30)) { store.statistics.allSatisfy { $0.connected == $0.threads } }
    #expect(isReady, "\(store.lastError ?? "no error")")
    do { try await body(store) } catch {
        await store.shutdown()
        throw error
    }
    await store.shutdown()
}

enum Items {
    static let migrations = [
        PostgresMigration(
            "items",
            sql: "CREATE TABLE items (id bigint PRIMARY KEY, text text NOT NULL CONSTRAINT items_text UNIQUE)")
    ]
    static let insert = PostgresQuery("INSERT INTO items VALUES ($1, $2)")
    static let find = PostgresQuery("SELECT text FROM items WHERE id = $1")
    static let count = PostgresQuery("SELECT count(*) FROM items")
    static let rename = PostgresQuery("UPDATE items SET text = $2 WHERE id = $1")
    static let sleep = PostgresQuery("SELECT pg_sleep(10)")

    static func put(_ store: PostgresStore, _ id: Int64, _ text: String) async throws {
        try await store.run(deadline: .after(.seconds(20))) { _ = try $0.run(insert, .integer(id), .text(text)) }
    }

    static func text(_ store: PostgresStore, _ id: Int64) async throws -> String? {
        try await store.run(deadline: .after(.seconds(20))) { try $0.first(find, .integer(id)) { $0.string(0) } }
    }

    static func count(_ store: PostgresStore) async throws -> Int64? {
        try await store.run(deadline: .after(.seconds(20))) {
            try $0.first(count) { row throws(StorageError) in try row.int64(0) }
        }
    }
}

/// Makes threads of tests wait for each other, for a while: blocks.
final class Meeting: Sendable {
    private let arrived = Atomic(0)
    private let expected: Int

    init(of count: Int) { expected = count }

    /// Comes back when all have come, or after 10 s.
    func wait() {
        arrived.add(1, ordering: .relaxed)
        let end = ContinuousClock.now + .seconds(10)
        while arrived.load(ordering: .relaxed) < expected, ContinuousClock.now < end { sched_yield() }
    }
}

/// Told once to whoever goes on until then.
final class Flag: Sendable {
    private let flag = Atomic(false)

    var isRaised: Bool { flag.load(ordering: .acquiring) }

    func raise() { flag.store(true, ordering: .releasing) }
}

/// Counts on any thread.
final class Tally: Sendable {
    private let number = Atomic(0)

    var count: Int { number.load(ordering: .relaxed) }

    func add() { number.add(1, ordering: .relaxed) }
}
