import Contracts
import Logging
import RPC
import TestSupport
import Testing

@testable import MongoStorage
@testable import VesselService

/// Calls that end after any of their steps, on a server without transactions that closes the connection there.
@Suite(.serialized, .timeLimit(.minutes(10))) struct MongoReservationCrashTests {
    private func breakCommand(_ number: Int32, on uri: String) async throws {
        try await control(
            uri,
            [
                "configureFailPoint": "failCommand", "mode": ["skip": .int32(number), "times": 1],
                "data": ["failCommands": ["insert", "update", "find"], "closeConnection": true],
            ])
    }

    private func mend(_ uri: String, _ vessels: VesselStore) async throws {
        try await control(uri, ["configureFailPoint": "failCommand", "mode": "off"])
        // Until the connection that was closed is back, calls are refused.
        #expect(await eventually(within: .seconds(20)) { vessels.store.isReady })
    }

    private func control(_ uri: String, _ command: BSONFields) async throws {
        let store = try MongoStore(
            try MongoAddress(uri), name: "control", threads: 1, logger: Logger(label: "test")
        ) { _ in }
        try store.start()
        try await store.run(deadline: .never) { try $0.run(command, database: "admin") }
        await store.shutdown()
    }

    /// Finishes what is left behind, as happens after some seconds.
    private func finish(_ vessels: VesselStore) async throws {
        let store = try #require(vessels.store as? MongoStore)
        try await MongoReservations(store: store).finishOldSteps(olderThan: -1, deadline: .after(.seconds(20)))
    }

    private func booked(_ vessels: VesselStore) async throws -> Int32 {
        try await vessels.repository.all().reduce(0) { $0 + $1.bookedContainers }
    }

    @Test("wherever a Reserve ends, a repeat books once, and a Release after it leaves nothing")
    func reserve() async throws {
        let server = try await MongoServer(isStandalone: true)
        let uri = server.uri(options: "retryReads=false&retryWrites=false")
        try await withVessels(at: uri, threads: 1) { vessels in
            let repository = vessels.repository
            _ = try await repository.create(vessel("v", capacity: 100), claim: nil, deadline: .never)
            var failures = 0
            for number in 0..<10 as Range<Int32> {
                let id = "c\(number)"
                try await breakCommand(number, on: uri)
                if await status(of: { try await repository.reserve(3, 3, for: id) }) != .ok { failures += 1 }
                try await mend(uri, vessels)
                if number % 2 == 0 {
                    #expect(try await repository.reserve(3, 3, for: id)?.id == "v")
                    #expect(try await booked(vessels) == 3, "step \(number)")
                } else {
                    try await finish(vessels)
                }
                try await repository.release(id, deadline: .after(.seconds(20)))
                try await finish(vessels)
                #expect(try await booked(vessels) == 0, "step \(number)")
            }
            #expect(failures >= 4)
        }
        server.kill()
    }

    @Test("calls that together find no room are told apart: whose own unfinished booking holds it, and who has none")
    func unfinished() async throws {
        let server = try await MongoServer(isStandalone: true)
        let uri = server.uri(options: "retryReads=false&retryWrites=false")
        try await withVessels(at: uri, threads: 1) { vessels in
            let repository = vessels.repository
            for number in 0..<4 {
                _ = try await repository.create(vessel("v\(number)", capacity: 3), claim: nil, deadline: .never)
            }
            for number in 0..<4 as Range<Int32> {
                // The fifth command notes the reservation; the room is booked by then.
                try await breakCommand(4, on: uri)
                #expect(await status(of: { try await repository.reserve(3, 3, for: "c\(number)") }) != .ok)
                try await mend(uri, vessels)
                #expect(try await booked(vessels) == 3 * (number + 1))
            }
            let names = (0..<4).map { "c\($0)" } + ["other", "another"]
            let found = try await withThrowingTaskGroup(of: (String, String?).self) { tasks in
                for name in names { tasks.addTask { (name, try await repository.reserve(3, 3, for: name)?.id) } }
                return try await tasks.reduce(into: [String: String]()) { $0[$1.0] = $1.1 }
            }
            #expect(found == ["c0": "v0", "c1": "v1", "c2": "v2", "c3": "v3"])
            #expect(try await booked(vessels) == 12)
        }
        server.kill()
    }

    @Test("wherever a Release ends, a repeat gives the room back once, and so does whoever comes by")
    func release() async throws {
        let server = try await MongoServer(isStandalone: true)
        let uri = server.uri(options: "retryReads=false&retryWrites=false")
        try await withVessels(at: uri, threads: 1) { vessels in
            let repository = vessels.repository
            _ = try await repository.create(vessel("v", capacity: 100), claim: nil, deadline: .never)
            _ = try await repository.reserve(10, 10, for: "other")
            var failures = 0
            for number in 0..<12 as Range<Int32> {
                let id = "c\(number)"
                _ = try await repository.reserve(3, 3, for: id)
                try await breakCommand(number, on: uri)
                let isDone =
                    await status(of: { try await repository.release(id, deadline: .after(.seconds(20))) }) == .ok
                if !isDone { failures += 1 }
                try await mend(uri, vessels)
                if number % 2 == 0 {
                    try await repository.release(id, deadline: .after(.seconds(20)))
                    #expect(try await booked(vessels) == 10, "step \(number)")
                } else {
                    // Another call for the vessel finishes it on the way.
                    _ = try await repository.reserve(1, 1, for: "next\(number)")
                    try await repository.release("next\(number)", deadline: .after(.seconds(20)))
                    try await repository.release(id, deadline: .after(.seconds(20)))
                }
                #expect(try await booked(vessels) == 10, "step \(number)")
            }
            #expect(failures >= 4)
        }
        server.kill()
    }
}
