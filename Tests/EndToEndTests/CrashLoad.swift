import Foundation
import Synchronization
import TestSupport

/// Callers that create vessels through the gateway without pause, and remember what they were promised.
final class CrashLoad: Sendable {
    /// What the callers know.
    struct Ledger: Sendable {
        /// Ids of vessels whose creation was answered.
        var acknowledged: Set<String> = []
        /// The id that each idempotency key was answered with, all answers of all repeats.
        var keyed: [String: Set<String>] = [:]
        /// Requests that failed. Few have a key: the gateway repeats those itself, and the callers repeat what is left.
        var failures = 0
        /// Answers that must not come whatever crashes.
        var surprises: [String] = []

        var count: Int { acknowledged.count + keyed.count }
    }

    private let port: Int
    private let ledger = Mutex(Ledger())
    private let hasEnded = Mutex(false)

    init(gateway port: Int) {
        self.port = port
    }

    /// What was answered until now.
    var known: Ledger { ledger.withLock { $0 } }

    /// Runs `callers` of each kind until `body` returns; each then ends the request that it is at.
    func run(callers: Int, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup { group in
            for _ in 0..<callers {
                group.addTask { try await self.createOnce() }
                group.addTask { try await self.createWithKeys() }
            }
            do {
                try await body()
                hasEnded.withLock { $0 = true }
                try await group.waitForAll()
            } catch {
                hasEnded.withLock { $0 = true }
                throw error
            }
        }
    }

    /// Waits until `count` more vessels were acknowledged.
    func progress(_ count: Int) async throws {
        let goal = known.count + count
        try await eventually("\(count) more vessels", within: .seconds(40)) { known.count >= goal }
    }

    private var goesOn: Bool { !hasEnded.withLock { $0 } && !Task.isCancelled }

    /// Without a key nobody repeats a Create: whatever is not answered with 200 is left alone.
    private func createOnce() async throws {
        try await withConnection { connection in
            let id = UUID().uuidString
            let answer = try await connection.rpc(VesselJSON(id: id, name: id).create)
            ledger.withLock { ledger in
                switch answer.status {
                case 200: ledger.acknowledged.insert(id)
                // The service is down.
                case 503, 504: ledger.failures += 1
                default: ledger.surprises.append("\(answer.status) \(answer.body)")
                }
            }
        }
    }

    /// With a key it is repeated until it is answered.
    private func createWithKeys() async throws {
        let current = Mutex(UUID().uuidString)
        try await withConnection { connection in
            let key = current.withLock { $0 }
            let answer = try await connection.rpc(VesselJSON(name: key).create, headers: ["idempotency-key": key])
            ledger.withLock { ledger in
                switch answer.status {
                case 200:
                    ledger.keyed[key, default: []].insert(answer.vesselID)
                    current.withLock { $0 = UUID().uuidString }
                case 503, 504: ledger.failures += 1
                default: ledger.surprises.append("\(answer.status) \(answer.body)")
                }
            }
        }
    }

    /// `exchange` again and again, on a connection that is made anew when it was lost.
    private func withConnection(_ exchange: (WebConnection) async throws -> Void) async throws {
        var connection: WebConnection?
        while goesOn {
            do {
                let current: WebConnection
                if let connection { current = connection } else { current = try await .open(port) }
                connection = current
                try await exchange(current)
            } catch is WebUnanswered {
                await connection?.close()
                connection = nil
            }
        }
        await connection?.close()
    }
}
