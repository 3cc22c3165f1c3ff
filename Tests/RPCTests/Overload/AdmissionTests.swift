import Contracts
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import RPC

/// A server one of whose methods does one call at a time, each in 5 ms, as if behind one connection to a store.
private enum SlowServer {
    static let slow = TestMethods.Echo(service: "test.Slow", name: "Slow")
    static let quick = TestMethods.Echo(service: "test.Slow", name: "Quick")
    static let health = TestMethods.Echo(service: "test.Slow", name: "Health")
    static let workTime = Duration.milliseconds(5)

    static func run(_ body: (Int, RPCServer) async throws -> Void) async throws {
        let queue = OneAtATime()
        let slow = RPCRoute(Self.slow) { request, _ in
            await queue.run()
            return request
        }
        let quick = RPCRoute(Self.quick) { request, _ in request }
        var health = RPCRoute(Self.health) { request, _ in request }
        health.isAlwaysAnswered = true
        let server = RPCServer(
            routes: [slow, quick, health], configuration: .init(address: HostPort(host: "127.0.0.1", port: 0)),
            group: .singleton, logger: quiet)
        let port = try await server.start().port ?? 0
        do {
            try await body(port, server)
            await server.drain(timeout: .zero)
        } catch {
            await server.drain(timeout: .zero)
            throw error
        }
    }
}

private actor OneAtATime {
    private var isBusy = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    func run() async {
        if isBusy { await withCheckedContinuation { waiters.append($0) } }
        isBusy = true
        try? await Task.sleep(for: SlowServer.workTime)
        isBusy = false
        if !waiters.isEmpty {
            isBusy = true
            waiters.removeFirst().resume()
        }
    }
}

/// What callers in a storm saw.
private struct Seen: Sendable {
    var accepted: [Duration] = []
    var refused = 0
    var other: [Status] = []
}

@Suite("A server under load", .timeLimit(.minutes(2)), .serialized, .turns) struct AdmissionTests {
    /// `callers` that call again as soon as they are answered, or after a moment if they are refused.
    private func storm(_ client: RPCClient, callers: Int, for duration: Duration) async -> Seen {
        let seen = NIOLockedValueBox(Seen())
        let end = ContinuousClock.now + duration
        await withTaskGroup { group in
            for _ in 0..<callers {
                group.addTask {
                    while ContinuousClock.now < end {
                        let began = ContinuousClock.now
                        let status = await client.status(of: SlowServer.slow)
                        let took = ContinuousClock.now - began
                        seen.withLockedValue {
                            switch status.code {
                            case .ok: $0.accepted.append(took)
                            case .resourceExhausted where status.metadata["retry-after"] != nil: $0.refused += 1
                            default: $0.other.append(status)
                            }
                        }
                        if status.code != .ok { try? await Task.sleep(for: .milliseconds(20)) }
                    }
                }
            }
        }
        return seen.withLockedValue { $0 }
    }

    @Test(
        "slow handlers: what can't be answered in time is refused early, the rest stays quick, health is answered, and soon after nothing is left of it"
    )
    func storm() async throws {
        try await SlowServer.run { port, server in
            try await withClient(port) { client in
                // What a call takes without load.
                for _ in 0..<40 { #expect(await client.status(of: SlowServer.slow) == .ok) }
                let watching = Task {
                    var answers: [Status.Code] = []
                    while !Task.isCancelled {
                        answers.append(await client.status(of: SlowServer.health).code)
                        answers.append(await client.status(of: SlowServer.quick).code)
                        try? await Task.sleep(for: .milliseconds(20))
                    }
                    return answers
                }
                // Alone they would wait 200 * 5 ms = 1 s each.
                _ = await storm(client, callers: 200, for: .seconds(2))
                let seen = await storm(client, callers: 200, for: .seconds(2))
                watching.cancel()
                let answers = await watching.value
                #expect(answers.count > 20)
                #expect(answers.dropLast(2).allSatisfy { $0 == .ok }, "other methods are not touched")
                #expect(seen.other.isEmpty, "\(seen.other)")
                #expect(seen.refused > 200)
                #expect(seen.accepted.count > 50)
                let median = seen.accepted.sorted()[seen.accepted.count / 2]
                #expect(median < .milliseconds(600), "\(median)")
                let admission = try #require(server.admission)
                let method = try #require(admission.methods.firstIndex(of: SlowServer.slow.path))
                #expect(admission.refusals(method, .concurrency) >= seen.refused)
                #expect(admission.loops.contains { $0.counters[method].limit.load(ordering: .relaxed) < 100 })
                for _ in 0..<20 { #expect(await client.status(of: SlowServer.slow) == .ok) }
            }
        }
    }

    @Test("a server told not to refuses nothing")
    func off() async throws {
        try await withServer({ $0.refusesUnderLoad = false }) { server in
            #expect(server.server.admission == nil)
            try await server.servesAGoodClient()
        }
    }
}
