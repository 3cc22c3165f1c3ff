import Foundation
import Logging
import RPC
import Storage
import TestSupport
import Testing

@testable import PostgresStorage

/// Against a server that the tests break and end, so one after another.
@Suite(.serialized, .timeLimit(.minutes(10))) struct PostgresFaultTests {
    private static let breakable = Task { try await PostgresServer() }
    private let server: PostgresServer

    init() async throws { server = try await Self.breakable.value }

    private func store(_ uri: String, threads: Int = 2) throws -> PostgresStore {
        PostgresStore(
            try PostgresAddress(uri), name: "test", threads: threads, migrations: Items.migrations,
            logger: Logger(label: "test"))
    }

    @Test("wrong and missing credentials and a missing database are permanent failures that show no credentials")
    func credentials() async throws {
        let uris = [
            server.uri(database: "postgres", password: "hunter22"),
            server.uri(database: "postgres", user: "stowaway", password: "hunter22"),
            "postgresql://captain@127.0.0.1:\(server.port)/postgres",
            server.uri(database: "atlantis"),
        ]
        for uri in uris {
            let store = try store(uri)
            try store.start()
            #expect(
                await eventually(within: .seconds(20)) { store.permanentFailure != nil },
                "\(store.lastError ?? "no error")")
            #expect(store.permanentFailure?.kind == .accessDenied)
            let message = store.permanentFailure?.message ?? ""
            for secret in ["hunter22", "captain", "stowaway", PostgresServer.password] {
                #expect(!message.contains(secret), "\(message)")
            }
            await store.shutdown()
        }
    }

    @Test("a server that is not there yet is waited for, with a reason, and so is one that has no place left")
    func notThereYet() async throws {
        let uri = try await server.database()
        try await server.stop()
        let store = try store(uri)
        try store.start()
        #expect(await eventually { store.lastError != nil })
        #expect(!store.isReady && store.permanentFailure == nil)
        try await server.start()
        #expect(await eventually(within: .seconds(30)) { store.isReady })
        await store.shutdown()

        let crowded = try await PostgresServer(settings: ["superuser_reserved_connections=0", "max_connections=4"])
        let crowdedURI = try await crowded.database()
        let first = try self.store(crowdedURI, threads: 4)
        try first.start()
        #expect(await eventually { first.statistics[0].connected == 4 }, "\(first.lastError ?? "")")
        let second = try self.store(crowdedURI, threads: 1)
        try second.start()
        #expect(await eventually { second.lastError?.contains("53300") == true }, "\(second.lastError ?? "")")
        #expect(second.permanentFailure == nil)
        await first.shutdown()
        #expect(await eventually { second.isReady })
        await second.shutdown()
        try await crowded.kill()
    }

    @Test("a server that is killed under load loses nothing that it answered, and is found again")
    func killed() async throws {
        let uri = try await server.database()
        try await withPostgres(uri, threads: 4, migrations: Items.migrations) { store in
            let isOver = Flag()
            let stored = try await withThrowingTaskGroup(of: [Int64].self) { tasks in
                for worker in 0..<4 as Range<Int64> {
                    tasks.addTask {
                        var stored: [Int64] = []
                        var number: Int64 = 0
                        while !isOver.isRaised {
                            number += 1
                            let id = worker * 1_000_000 + number
                            do {
                                try await store.transaction(deadline: .after(.seconds(5))) { connection in
                                    try connection.run(Items.insert, .integer(id), .text("\(id)"))
                                }
                                stored.append(id)
                            } catch let error as StorageError {
                                #expect(error.kind == .connectionLost || error.kind == .timeout, "\(error)")
                            } catch let status as Status {
                                #expect(status.code == .deadlineExceeded)
                            }
                        }
                        return stored
                    }
                }
                for _ in 0..<2 {
                    let before = try await Items.count(store) ?? 0
                    try await eventually("progress") { (try? await Items.count(store)) ?? 0 > before + 50 }
                    try await server.kill()
                    try await server.start()
                    try await eventually("its return") { store.statistics[0].connected == 4 }
                }
                isOver.raise()
                return try await tasks.reduce(into: Set<Int64>()) { $0.formUnion($1) }
            }
            let there = try await store.run(deadline: .after(.seconds(20))) { connection in
                try connection.all(PostgresQuery("SELECT id FROM items")) { row throws(StorageError) in try row.int64(0)
                }
            }
            #expect(stored.count > 100)
            #expect(stored.subtracting(there).isEmpty)
        }
    }

    @Test("a restart that throws everybody out is a lost connection, and idle stores notice it by themselves")
    func restart() async throws {
        let uri = try await server.database()
        try await withPostgres(uri, migrations: Items.migrations) { store in
            try await server.stop()
            #expect(await eventually(within: .seconds(20)) { !store.isReady })
            let error = await #expect(throws: StorageError.self) { try await Items.put(store, 1, "lost") }
            #expect(error?.kind == .connectionLost)
            #expect(error?.status.code == .unavailable)
            try await server.start()
            #expect(await eventually(within: .seconds(20)) { store.isReady })
            try await Items.put(store, 1, "kept")
        }
    }

    @Test("a server that hangs holds no call beyond its deadline, and is of use again when it goes on")
    func hanging() async throws {
        let uri = try await server.database()
        try await withPostgres(uri, threads: 2, migrations: Items.migrations) { store in
            try await Items.put(store, 1, "before")
            server.signalBackends(SIGSTOP, andPostmaster: true)
            defer { server.signalBackends(SIGCONT, andPostmaster: true) }
            let clock = ContinuousClock()
            for _ in 0..<2 {
                let took = await clock.measure {
                    await #expect(throws: (any Error).self) {
                        try await store.run(deadline: .after(.milliseconds(400))) { connection in
                            _ = try connection.run(Items.count)
                        }
                    }
                }
                #expect(took < .seconds(10), "\(took)")
            }
            server.signalBackends(SIGCONT, andPostmaster: true)
            try await eventually("its return") { (try? await Items.text(store, 1)) == "before" }
        }
    }

    @Test("one server connection that hangs leaves the calls on others alone")
    func hangingBackend() async throws {
        let uri = try await server.database()
        try await withPostgres(uri, threads: 2, migrations: Items.migrations) { store in
            try await Items.put(store, 1, "before")
            server.signalBackends(SIGSTOP)
            defer { server.signalBackends(SIGCONT) }
            let error = await #expect(throws: StorageError.self) {
                try await store.run(deadline: .after(.milliseconds(300))) { _ = try $0.run(Items.count) }
            }
            #expect(error?.kind == .timeout)
            // The postmaster gives the threads new server processes, which don't hang.
            try await eventually("an answer", within: .seconds(5)) {
                let count = try? await store.run(deadline: .after(.milliseconds(300))) {
                    try $0.run(Items.find, .integer(1))
                }
                return count == 1
            }
        }
    }
}
