import Logging
import RPC
import Storage
import TestSupport
import Testing

@testable import PostgresStorage

@Suite(.timeLimit(.minutes(10))) struct PostgresMigrationTests {
    private func store(
        _ uri: String, _ migrations: [PostgresMigration], threads: Int = 4, channel: String? = nil
    ) throws -> PostgresStore {
        PostgresStore(
            try PostgresAddress(uri), name: "test", threads: threads, migrations: migrations, channel: channel,
            logger: Logger(label: "test"))
    }

    @Test("four stores that start at once make the schema once")
    func together() async throws {
        let uri = try await PostgresServer.shared.value.database()
        let slow = PostgresMigration("first item") { connection in
            try connection.script("SELECT pg_sleep(0.2); INSERT INTO items VALUES (1, 'first')")
        }
        let stores = try (0..<4).map { _ in try store(uri, Items.migrations + [slow]) }
        for store in stores { try store.start() }
        for store in stores {
            let isReady = await eventually(within: .seconds(30)) { store.isReady }
            #expect(isReady, "\(store.lastError ?? "")")
            #expect(try await Items.count(store) == 1)
        }
        for store in stores { await store.shutdown() }
        let noted = try await PostgresServer.sql("SELECT version, name FROM shippy_migrations ORDER BY 1", at: uri)
        #expect(noted == "1|items\n2|first item")
    }

    @Test("a new step runs once on an old database, and a database of a newer program is refused")
    func forward() async throws {
        let uri = try await PostgresServer.shared.value.database()
        try await withPostgres(uri, migrations: Items.migrations) { try await Items.put($0, 1, "old") }
        let newer = Items.migrations + [PostgresMigration("new", sql: "INSERT INTO items VALUES (2, 'new')")]
        for _ in 0..<2 {
            try await withPostgres(uri, migrations: newer) { store in
                let texts = [try await Items.text(store, 1), try await Items.text(store, 2)]
                #expect(texts == ["old", "new"])
            }
        }
        let older = try store(uri, Items.migrations)
        try older.start()
        #expect(await eventually { older.permanentFailure != nil })
        #expect(older.permanentFailure?.message == "the schema of 'test' was made by a newer version of this program")
        await older.shutdown()
    }

    @Test("a step that fails leaves nothing behind and is refused with its reason")
    func failing() async throws {
        let uri = try await PostgresServer.shared.value.database()
        let bad = PostgresMigration("bad", sql: "CREATE TABLE half (id int); SELECT nonsense")
        let store = try store(uri, Items.migrations + [bad])
        try store.start()
        #expect(await eventually { store.permanentFailure != nil })
        #expect(store.permanentFailure?.message.contains("nonsense") == true)
        await store.shutdown()
        let tables = try await PostgresServer.sql("SELECT to_regclass('half'), to_regclass('items')", at: uri)
        #expect(tables == "|items")
        let versions = try await PostgresServer.sql("SELECT max(version) FROM shippy_migrations", at: uri)
        #expect(versions == "1")
    }

    @Test("a user without the right to make tables is refused with a reason")
    func noPermission() async throws {
        let server = try await PostgresServer.shared.value
        let name = "deckhand_\(UInt32.random(in: 0 ... .max))"
        _ = try await server.database(name)
        try await server.sql("CREATE ROLE \(name) LOGIN PASSWORD 'pw'")
        let store = try store(server.uri(database: name, user: name, password: "pw"), Items.migrations)
        try store.start()
        #expect(await eventually { store.permanentFailure != nil })
        #expect(store.permanentFailure?.message == "permission denied for schema public (SQLSTATE 42501)")
        await store.shutdown()
    }

    @Test("a notification ends a wait, also one that came before it, and without one the wait ends in time")
    func notifications() async throws {
        let uri = try await PostgresServer.shared.value.database()
        try await withPostgres(uri, channel: "odd \"name\"") { store in
            let notify = PostgresQuery("SELECT pg_notify('odd \"name\"', '')")
            let clock = ContinuousClock()
            let quiet = try await clock.measure { try await store.waitForNotification(timeout: .milliseconds(700)) }
            #expect(quiet >= .milliseconds(690) && quiet < .seconds(5), "\(quiet)")
            // Before the wait.
            try await store.run(deadline: .never) { _ = try $0.run(notify) }
            let early = try await clock.measure { try await store.waitForNotification(timeout: .seconds(30)) }
            #expect(early < .seconds(5))
            // During the wait, in a transaction: heard at its commit.
            async let wait = clock.measure { try await store.waitForNotification(timeout: .seconds(30)) }
            try await store.transaction(deadline: .never) { connection in
                try connection.script("SELECT pg_sleep(0.3)")
                try connection.run(notify)
            }
            let late = try await wait
            #expect(late < .seconds(10))
            let cancelled = Task { try await store.waitForNotification(timeout: .seconds(30)) }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            let end = await clock.measure { await store.shutdown() }
            #expect(end < .seconds(10))
        }
    }
}
