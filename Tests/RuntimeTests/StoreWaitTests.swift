import NIOCore
import Storage
import Testing

@testable import Runtime

@Suite("Waiting for a store")
struct StoreWaitTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    @Test("the first failure is logged at once, then a line every 5 s with the latest reason")
    func logging() {
        var wait = StoreWait(address: "mongo:27017", timeout: nil, storeFailureGrace: .seconds(60), start: start)
        #expect(
            wait.handle(.failed(reason: "refused"), at: start + .milliseconds(1))
                == .log("waiting for the store at mongo:27017: refused"))
        #expect(wait.handle(.failed(reason: "no such host"), at: start + .seconds(1)) == .nothing)
        #expect(wait.handle(.tick, at: start + .milliseconds(5_000)) == .nothing)
        #expect(
            wait.handle(.tick, at: start + .milliseconds(5_001))
                == .log("waiting for the store at mongo:27017: no such host"))
        #expect(wait.handle(.tick, at: start + .seconds(9)) == .nothing)
        #expect(wait.handle(.tick, at: start + .seconds(86_400)) != .nothing)
    }

    @Test("a try that hangs is reported too")
    func hanging() {
        var wait = StoreWait(address: "s", timeout: .seconds(6), storeFailureGrace: .seconds(60), start: start)
        #expect(wait.handle(.tick, at: start + .seconds(4)) == .nothing)
        #expect(wait.handle(.tick, at: start + .seconds(5)) == .log("waiting for the store at s: no answer yet"))
        let end = wait.handle(.tick, at: start + .seconds(6))
        #expect(end == .giveUp("the store at s was not there within 6.0 seconds: no answer yet"))
    }

    @Test("a failure with a grace period ends the wait only when it lasts, and another failure restarts the period")
    func gracePeriod() {
        var wait = StoreWait(address: "s", timeout: nil, storeFailureGrace: .seconds(60), start: start)
        let failure = StoreWait.Event.failedPermanently(StorageError(.accessDenied, "wrong password"))
        #expect(wait.handle(failure, at: start) == .log("waiting for the store at s: it refuses: wrong password"))
        #expect(wait.handle(failure, at: start + .seconds(2)) == .nothing)
        #expect(wait.handle(.failed(reason: "no such host"), at: start + .seconds(4)) == .nothing)
        #expect(wait.handle(failure, at: start + .seconds(30)) != .nothing)
        let line = StoreWait.Action.log("waiting for the store at s: it refuses: wrong password")
        #expect(wait.handle(.tick, at: start + .seconds(89)) == line)
        #expect(wait.handle(.tick, at: start + .seconds(90)) == .giveUp("the store at s refuses: wrong password"))
    }

    @Test("a grace period lasts no longer than the wait for the store, and a failure without one ends it at once")
    func gracePeriodLimits() {
        var wait = StoreWait(address: "s", timeout: .seconds(6), storeFailureGrace: .seconds(60), start: start)
        let failure = StoreWait.Event.failedPermanently(StorageError(.accessDenied, "wrong password"))
        _ = wait.handle(failure, at: start + .seconds(1))
        #expect(wait.handle(.tick, at: start + .seconds(5)) != .giveUp("the store at s refuses: wrong password"))
        #expect(wait.handle(.tick, at: start + .seconds(6)) == .giveUp("the store at s refuses: wrong password"))
        var other = StoreWait(address: "s", timeout: nil, storeFailureGrace: .seconds(60), start: start)
        let last = other.handle(.failedPermanently(StorageError(.unusable, "not a database")), at: start)
        #expect(last == .giveUp("the store at s refuses: not a database"))
    }

    @Test("tries come soon at first and never more than 2 s apart")
    func retries() {
        #expect(StoreWait.retryDelay(0) == .milliseconds(100))
        #expect(StoreWait.retryDelay(1) == .milliseconds(200))
        #expect(StoreWait.retryDelay(5) == .seconds(2))
        #expect(StoreWait.retryDelay(Int.max) == .seconds(2))
    }

    @Test("waiters of a gate continue when it opens, and a cancelled task stops waiting")
    func gate() async throws {
        let gate = Gate()
        let cancelled = Task { try await gate.waitUntilOpen() }
        let waiting = Task { try await gate.waitUntilOpen() }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        #expect(!gate.isOpen)
        gate.open()
        try await waiting.value
        try await gate.waitUntilOpen()
        #expect(gate.isOpen)
    }
}
