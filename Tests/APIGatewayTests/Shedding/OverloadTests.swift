import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import APIGateway

/// A store with so many connections, each of which takes one call at a time. It keeps time on an event loop: the threads of
/// Swift's own pool may be busy with other tests.
private final class Store: Sendable {
    private struct State {
        var free: Int
        var number = 0
        var waiters = CircularBuffer<UnsafeContinuation<Void, Never>>()
    }

    private let milliseconds: @Sendable (_ number: Int) -> Int
    private let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    private let state: NIOLockedValueBox<State>

    init(connections: Int, milliseconds: @escaping @Sendable (_ number: Int) -> Int) {
        self.milliseconds = milliseconds
        state = NIOLockedValueBox(State(free: connections))
    }

    func call() async {
        // Unsafe continuation: each is resumed once, by the end of its time.
        await withUnsafeContinuation { continuation in
            let isFree = state.withLockedValue { state in
                guard state.free > 0 else {
                    state.waiters.append(continuation)
                    return false
                }
                state.free -= 1
                return true
            }
            if isFree { run(continuation) }
        }
    }

    private func run(_ continuation: UnsafeContinuation<Void, Never>) {
        let number = state.withLockedValue { state in
            state.number += 1
            return state.number
        }
        eventLoop.scheduleTask(in: .milliseconds(Int64(milliseconds(number)))) {
            continuation.resume()
            let next = self.state.withLockedValue { state in
                if state.waiters.isEmpty { state.free += 1 }
                return state.waiters.popFirst()
            }
            if let next { self.run(next) }
        }
    }
}

/// What callers saw.
private struct Seen: Sendable {
    var accepted = 0
    var refused: [WebAnswer] = []
    var other: [WebAnswer] = []
    var slowest = Duration.zero
}

/// A real gateway before a service whose store does as a test says.
@Suite("A gateway under load", .timeLimit(.minutes(10)), .serialized) struct GatewayOverloadTests {
    private static let find =
        #"{"service": "vessel", "method": "VesselService.FindAvailable", "request": {"capacity": 1}}"#

    /// `callers` with a connection each, that call again as soon as they are answered, until `end` says so.
    private func call(
        _ gateway: GatewayFixture, callers: Int, until end: @escaping @Sendable (_ calls: Int) -> Bool
    ) async throws -> Seen {
        let seen = NIOLockedValueBox(Seen())
        let port = try #require(gateway.address.port)
        try await withThrowingTaskGroup { group in
            for _ in 0..<callers {
                group.addTask {
                    let connection = try await WebConnection.open(port)
                    var calls = 0
                    while !end(calls) {
                        let began = ContinuousClock.now
                        let answer = try await connection.rpc(Self.find)
                        let took = ContinuousClock.now - began
                        calls += 1
                        seen.withLockedValue {
                            $0.slowest = max($0.slowest, took)
                            switch answer.status {
                            case 200: $0.accepted += 1
                            case 429: $0.refused.append(answer)
                            default: $0.other.append(answer)
                            }
                        }
                    }
                    await connection.close()
                }
            }
            try await group.waitForAll()
        }
        return seen.withLockedValue { $0 }
    }

    private func with(
        _ store: Store, logger: LogCapture = LogCapture(), _ body: (GatewayFixture) async throws -> Void
    ) async throws {
        try await GatewayFixture.run(logger: logger.logger()) { gateway in
            gateway.services.work.withLockedValue { $0 = { await store.call() } }
            try await body(gateway)
        }
    }

    @Test("one call in nine that takes 100 ms for a reason of the store's is no reason to refuse any")
    func oneInNine() async throws {
        try await with(Store(connections: 64) { $0 % 9 == 0 ? 100 : 1 }) { gateway in
            let seen = try await call(gateway, callers: 16) { $0 == 60 }
            #expect(seen.accepted == 960, "\(seen.refused.count) refused, \(seen.other)")
        }
    }

    @Test("a store that takes 300 ms instead of 3 makes calls slow, and none is refused")
    func slowStore() async throws {
        let log = LogCapture()
        try await with(Store(connections: 1_000) { $0 < 500 ? 3 : 300 }, logger: log) { gateway in
            // More than there are places, so that some always wait, even if one loop had them all.
            let seen = try await call(gateway, callers: 200) { $0 == 12 }
            #expect(seen.accepted == 2_400, "\(seen.refused.count) refused, \(seen.other)")
            #expect(seen.slowest > .milliseconds(300))
            #expect(!log.text.contains("load shedding"), "\(log.text)")
        }
    }

    @Test(
        "of more than can be served what can be is, the rest is 429 with Retry-After, and the log says it in two lines")
    func overload() async throws {
        let log = LogCapture()
        // 250 a second at most; of 600 callers the last would wait for two.
        try await with(Store(connections: 2) { _ in 8 }, logger: log) { gateway in
            let end = ContinuousClock.now + .seconds(5)
            let seen = try await call(gateway, callers: 600) { _ in ContinuousClock.now > end }
            #expect(seen.other.isEmpty, "\(seen.other)")
            #expect(seen.accepted > 100, "\(seen.accepted)")
            #expect(seen.refused.count > 100)
            for answer in seen.refused {
                let seconds = try #require(answer.headers.first(name: "retry-after").flatMap { Int($0) })
                #expect((1...4).contains(seconds))
                #expect(answer.body.contains(#""id": "shippy.api", "code": 429"#))
            }
            try await eventually("the end of it") { log.text.contains("load shedding ended") }
            let lines = log.text.split(separator: "\n").filter { $0.contains("load shedding") }
            #expect(lines.count == 2 && lines[0].contains("began") && lines[1].contains("ended"), "\(lines)")
            let after = try await call(gateway, callers: 16) { $0 == 10 }
            #expect(after.accepted == 160)
        }
    }

    @Test(
        "a call that waits goes on when another ends; one that waits for a second is 429, and its message is not looked at"
    )
    func places() async throws {
        try await GatewayFixture.run { gateway in
            let shedder = try #require(gateway.gateway.shedder)
            let method = try #require(
                shedder.methods.firstIndex { $0.name == "vessel.VesselService/FindAvailable" })
            // A connection to the service on every loop, so that calls queue.
            try await eventually("connections") {
                let status = try await gateway.rpc(Self.find).status
                #expect(status == 200)
                return shedder.loops.allSatisfy { shedder.methods[method].isReachable($0.eventLoop) }
            }
            let asked = gateway.services.seen.withLockedValue { $0.paths.count }
            for loop in shedder.loops {
                try await loop.eventLoop.submit { while loop.tryStart(method) {} }.get()
            }
            let refused = try await gateway.rpc(
                #"{"service": "vessel", "method": "VesselService.FindAvailable", "request": {"no_such": 1}}"#)
            let seconds = try #require(refused.headers["retry-after"].flatMap { Int($0) })
            #expect(
                try refused.isError(429, id: "shippy.api", "the service is overloaded; try again in \(seconds) s"))
            #expect(gateway.services.seen.withLockedValue { $0.paths.count } == asked)
            #expect(shedder.shedCount(method, .wait) == 1)
            let other = try await gateway.rpc(
                #"{"service": "user", "method": "UserService.Auth", "request": {"email": "a@b.c"}}"#)
            #expect(other.status == 200, "another method is not touched")
            let ready = try await gateway.fetch("GET", "/readyz").status
            #expect(ready == 200)
            async let waiting = gateway.rpc(Self.find).status
            try await eventually("a call that waits") { shedder.queued(method) == 1 }
            for loop in shedder.loops {
                try await loop.eventLoop.submit { loop.finished(method, now: .now()) }.get()
            }
            let status = try await waiting
            #expect(status == 200)
        }
    }

    @Test("passwords are hashed a few at a time; of other calls dozens are with their service")
    func bounds() async throws {
        try await GatewayFixture.run { gateway in
            let methods = try #require(gateway.gateway.shedder?.methods)
            let few = methods.filter { $0.bounds.inFlightMax < 64 }
            #expect(Set(few.map(\.name)) == ["user.UserService/Create", "user.UserService/Auth"])
            let arePatient = few.allSatisfy { $0.bounds == .patient(inFlightMax: 3, waitMax: .milliseconds(2_500)) }
            #expect(arePatient)
            #expect(Set(methods.map(\.name)).count == methods.count, "a method under two names has one queue")
        }
    }

    @Test("a gateway that is told to sheds nothing")
    func off() async throws {
        try await GatewayFixture.run(configure: { $0.shedsLoad = false }) { gateway in
            #expect(gateway.gateway.shedder == nil)
            let status = try await gateway.rpc(Self.find).status
            #expect(status == 200)
        }
    }
}
