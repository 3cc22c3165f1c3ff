import Contracts
import NIOConcurrencyHelpers
import RPC

/// Methods that only tests have; every one takes and answers a Vessel, whose fields they give other meanings.
enum TestMethods {
    typealias Echo = Method<Vessel_Vessel, Vessel_Vessel>

    static let service = "test.Test"
    /// Answers the request.
    static let echo = Echo(service: service, name: "Echo")
    static let idempotentEcho = Echo(service: service, name: "IdempotentEcho", isIdempotent: true)
    /// Echoes, too.
    static let probe = Echo(service: service, name: "Probe", isIdempotent: true, isProbe: true)
    /// Fails with status `capacity`, text `name` and `retry-after: 7`, and with details if `id` is `details`.
    static let fail = Echo(service: service, name: "Fail")
    /// Fails with an error that knows no status.
    static let crash = Echo(service: service, name: "Crash")
    /// Answers after `capacity` milliseconds, unless it is cancelled before.
    static let wait = Echo(service: service, name: "Wait")
    static let idempotentWait = Echo(service: service, name: "IdempotentWait", isIdempotent: true)
    /// Answers with the metadata value named by `id` as `name`, and the milliseconds that are left as `capacity`.
    static let context = Echo(service: service, name: "Context")
    /// Answers a name of `capacity` bytes.
    static let large = Echo(service: service, name: "Large")
    /// Takes `capacity` milliseconds and does not care whether anybody still waits.
    static let stubborn = Echo(service: service, name: "Stubborn")
}

/// What the handlers of one test server saw.
final class HandlerLog: Sendable {
    struct Counts {
        var began = 0
        var finished = 0
        var cancelled = 0
    }

    private let box = NIOLockedValueBox(Counts())

    var counts: Counts { box.withLockedValue { $0 } }
    var began: Int { counts.began }
    var cancelled: Int { counts.cancelled }

    func record(_ change: @Sendable (inout Counts) -> Void) { box.withLockedValue { change(&$0) } }

    var routes: [RPCRoute] {
        [
            RPCRoute(TestMethods.echo, handler: echo), RPCRoute(TestMethods.idempotentEcho, handler: echo),
            RPCRoute(TestMethods.probe, handler: echo),
            RPCRoute(TestMethods.wait, handler: wait), RPCRoute(TestMethods.idempotentWait, handler: wait),
            RPCRoute(TestMethods.fail) { request, _ in
                let code = Status.Code(rawValue: Int(request.capacity)) ?? .unknown
                let details: [ErrorDetail] = [
                    .badRequest([.init(field: "containers[3].origin", description: "wrong")]),
                    .errorInfo(reason: "FLEET_FULL"),
                ]
                throw Status(
                    code, request.name, metadata: ["retry-after": "7"], details: request.id == "details" ? details : [])
            },
            RPCRoute(TestMethods.crash) { _, _ in throw Secret(text: "select password from users") },
            RPCRoute(TestMethods.context) { request, context in
                var answer = Vessel_Vessel()
                answer.name = context.metadata[request.id] ?? "(absent)"
                answer.id = context.path
                answer.ownerID = context.peer
                answer.capacity =
                    context.deadline.isNever ? -1 : Int32(context.deadline.remaining / .milliseconds(1))
                return answer
            },
            RPCRoute(TestMethods.large) { request, _ in
                var answer = Vessel_Vessel()
                answer.name = letters(Int(request.capacity))
                return answer
            },
            RPCRoute(TestMethods.stubborn) { [self] request, _ in
                record { $0.began += 1 }
                // Tasks of its own are not cancelled with the handler.
                await Task.detached { try? await Task.sleep(for: .milliseconds(Int(request.capacity))) }.value
                record { $0.finished += 1 }
                return request
            },
        ]
    }

    private struct Secret: Error {
        var text: String
    }

    @Sendable private func echo(_ request: Vessel_Vessel, _ context: RequestContext) async throws -> Vessel_Vessel {
        record { $0.began += 1 }
        return request
    }

    @Sendable private func wait(_ request: Vessel_Vessel, _ context: RequestContext) async throws -> Vessel_Vessel {
        record { $0.began += 1 }
        do {
            try await Task.sleep(for: .milliseconds(Int(request.capacity)))
        } catch {
            record { $0.cancelled += 1 }
            throw error
        }
        record { $0.finished += 1 }
        return request
    }
}

/// So many x. Without `String(repeating:count:)`, which takes long enough for megabytes to keep an event loop busy.
func letters(_ count: Int) -> String {
    String(decoding: [UInt8](repeating: UInt8(ascii: "x"), count: count), as: UTF8.self)
}

extension Vessel_Vessel {
    init(id: String = "", name: String = "", capacity: Int = 0) {
        self.init()
        self.id = id
        self.name = name
        self.capacity = Int32(capacity)
    }
}
