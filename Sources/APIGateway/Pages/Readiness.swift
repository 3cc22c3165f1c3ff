import Contracts
import NIOCore
import RPC
import Synchronization

/// Whether the services behind the gateway answer, for `GET /readyz`. Every event loop is checked, as each has
/// connections of its own.
///
/// One check serves every probe that comes while it runs and for a moment afterwards, so that probes can't add up to
/// a load on the services.
final class Readiness: Sendable {
    /// A service whose answer counts.
    struct Check: Sendable {
        let service: String
        let client: RPCClient
    }

    struct Outcome: Sendable {
        /// What is wrong with each service; `nil` if it is ready.
        let problems: [(service: String, problem: String?)]

        var isReady: Bool { problems.allSatisfy { $0.problem == nil } }
    }

    private struct State {
        var isDraining = false
        var running: Task<Outcome, Never>?
        var validUntil = NIODeadline.uptimeNanoseconds(0)
    }

    private let checks: [Check]
    private let timeout: Duration
    private let lifetime: Duration
    private let state = Mutex(State())

    /// - Parameters:
    ///   - timeout: how long a service has to answer.
    ///   - lifetime: how long an outcome stands, from the check's end at the latest `timeout` later.
    init(checks: [Check], timeout: Duration, lifetime: Duration) {
        self.checks = checks
        self.timeout = timeout
        self.lifetime = lifetime
    }

    /// From now on it is not ready: no new requests should be sent here.
    func drain() {
        state.withLock { $0.isDraining = true }
    }

    var isDraining: Bool { state.withLock { $0.isDraining } }

    func outcome() async -> Outcome {
        let task = state.withLock { state in
            let now = NIODeadline.now()
            if let running = state.running, now < state.validUntil { return running }
            let task = Task { await self.check() }
            state.running = task
            // While the check runs nobody starts another, however slow the services are.
            state.validUntil = now + TimeAmount(timeout) + TimeAmount(lifetime)
            return task
        }
        return await task.value
    }

    private func check() async -> Outcome {
        let checks = checks
        let deadline = Deadline.after(timeout)
        let problems = await withTaskGroup { group in
            for (index, check) in checks.enumerated() {
                group.addTask { (index, await Self.problem(check, deadline: deadline)) }
            }
            var problems = [String?](repeating: nil, count: checks.count)
            for await (index, problem) in group { problems[index] = problem }
            return problems
        }
        state.withLock { $0.validUntil = .now() + TimeAmount(lifetime) }
        return Outcome(problems: zip(checks, problems).map { ($0.service, $1) })
    }

    private static func problem(_ check: Check, deadline: Deadline) async -> String? {
        do {
            let answers = try await check.client.callOnEveryLoop(
                HealthMethods.check, Grpc_Health_V1_HealthCheckRequest(), deadline: deadline)
            return answers.allSatisfy { $0.status == .serving } ? nil : "the service says that it is not serving"
        } catch {
            // Only the kind: the text may say where the service lives.
            return switch Status(error).code {
            case .deadlineExceeded: "the service did not answer in time"
            case .unavailable: "the service can't be reached"
            case let code: "the service answered \(code.name)"
            }
        }
    }
}

extension Readiness.Outcome {
    /// `{"ready": false, "services": [{"name": "vessel", "ready": false, "detail": "..."}]}`
    func json(isDraining: Bool) -> ByteBuffer {
        var out = ByteBuffer()
        out.writeString("{\"ready\": \(isReady && !isDraining)")
        if isDraining { out.writeStaticString(", \"detail\": \"the gateway is stopping\"") }
        out.writeStaticString(", \"services\": [")
        for (index, (service, problem)) in problems.enumerated() {
            if index > 0 { out.writeStaticString(", ") }
            out.writeJSONString(service, after: "{\"name\": ")
            out.writeString(", \"ready\": \(problem == nil)")
            if let problem {
                out.writeJSONString(problem, after: ", \"detail\": ")
            }
            out.writeStaticString("}")
        }
        out.writeStaticString("]}\n")
        return out
    }
}
