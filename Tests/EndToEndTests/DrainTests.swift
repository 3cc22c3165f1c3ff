import Contracts
import Foundation
import RPC
import Synchronization
import TestSupport
import Testing

extension LoadTests {
    /// SIGTERM in the midst of calls: what was taken is answered, and what was not taken was not done.
    @Suite("Stopping under load", .timeLimit(.minutes(10)))
    struct DrainTests {
        /// Ids of vessels, by what became of the call that was to create them.
        struct Outcomes: Codable, Sendable {
            var created: [String] = []
            /// Name of the status for each id.
            var failed: [String: String] = [:]
        }

        final class OutcomeLog: Sendable {
            private let outcomes = Mutex(Outcomes())

            var value: Outcomes { outcomes.withLock { $0 } }

            func change(_ body: (inout Outcomes) -> Void) {
                outcomes.withLock { body(&$0) }
            }
        }

        private static let callers = 64

        @Test("the vessel service answers each call that it took from our client, and ends with 0")
        func ourClient() async throws {
            let folder = try TemporaryFolder()
            let vessel = try await Program.vessel(store: "sqlite:" + folder.file("vessel.db"))
            let run = try await vessel.startReady()
            let outcomes = OutcomeLog()
            try await withClient(of: vessel) { client in
                try await withThrowingTaskGroup { group in
                    for _ in 0..<Self.callers {
                        group.addTask { await Self.createUntilRefused(client, outcomes) }
                    }
                    try await eventually("load") { outcomes.value.created.count > 300 }
                    #expect(try await run.stop() == 0)
                    try await group.waitForAll()
                }
            }
            try await check(outcomes.value, folder.file("vessel.db"))
        }

        private static func createUntilRefused(_ client: RPCClient, _ outcomes: OutcomeLog) async {
            while true {
                let id = UUID().uuidString
                let status = await client.status { try await $0.create(id) }
                outcomes.change { outcomes in
                    if status == .ok {
                        outcomes.created.append(id)
                    } else {
                        outcomes.failed[id] = status.name
                    }
                }
                guard status == .ok else { return }
            }
        }

        @Test("the vessel service answers each call that it took from Python's grpcio, and ends with 0")
        func grpcio() async throws {
            let folder = try TemporaryFolder()
            let vessel = try await Program.vessel(store: "sqlite:" + folder.file("vessel.db"))
            let run = try await vessel.startReady()
            let python = try ProcessRun(
                Tool.python, [Script.path("create_until_refused.py"), "\(vessel.port)", "\(Self.callers)"])
            try await python.waitForOutput("under load")
            #expect(try await run.stop() == 0)
            #expect(try await python.status() == 0, "\(python.errors)")
            let report = python.output.split(separator: "\n").last ?? ""
            try await check(
                JSONDecoder().decode(Outcomes.self, from: Data(report.utf8)), folder.file("vessel.db"))
        }

        @Test("the gateway answers each request that it took, and ends with 0 while its callers go on")
        func gateway() async throws {
            let folder = try TemporaryFolder()
            let fleet = try await Fleet(store: "sqlite:" + folder.file("vessel.db"))
            let runs = try await fleet.start()
            let outcomes = OutcomeLog()
            try await withThrowingTaskGroup { group in
                for _ in 0..<Self.callers {
                    group.addTask { try await Self.postUntilClosed(fleet.gateway.port, outcomes) }
                }
                try await eventually("load") { outcomes.value.created.count > 300 }
                #expect(try await runs.gateway.stop() == 0)
                try await group.waitForAll()
            }
            #expect(try await runs.vessel.stop() == 0)
            try await check(outcomes.value, folder.file("vessel.db"))
        }

        private static func postUntilClosed(_ port: Int, _ outcomes: OutcomeLog) async throws {
            let connection = try await WebConnection.open(port)
            while true {
                let id = UUID().uuidString
                do {
                    let answer = try await connection.rpc(VesselJSON(id: id, name: id).create)
                    outcomes.change { outcomes in
                        if answer.status == 200 {
                            outcomes.created.append(id)
                        } else {
                            outcomes.failed[id] = "\(answer.status) \(answer.body)"
                        }
                    }
                } catch let error as WebUnanswered {
                    // A connection may be closed between two requests, and the next may be on its way by then.
                    outcomes.change { $0.failed[id] = error.hasBegun ? "\(error)" : "UNAVAILABLE" }
                    break
                }
            }
            await connection.close()
        }

        /// Whatever was answered is stored; whatever failed was not begun.
        private func check(_ outcomes: Outcomes, _ path: String) async throws {
            let stored = try await StoredVessels.sqlite(path).names
            let lost = outcomes.created.filter { stored[$0] != 1 }
            #expect(lost.isEmpty, "\(lost.count) of \(outcomes.created.count) created vessels are not stored")
            #expect(Set(outcomes.failed.values).isSubset(of: ["UNAVAILABLE"]), "\(Set(outcomes.failed.values))")
            let unanswered = outcomes.failed.keys.filter { stored[$0] != nil }
            #expect(unanswered.isEmpty, "\(unanswered.count) calls were carried out and not answered")
            #expect(stored.count == outcomes.created.count)
        }
    }
}

/// Programs in Python that play a part.
enum Script {
    static func path(_ name: String, file: String = #filePath) -> String {
        (file as NSString).deletingLastPathComponent + "/Scripts/" + name
    }
}
