import NIOCore
import Testing

@testable import Storage

@Suite("How long calls may wait for a thread") struct WaitBoundTests {
    private static let waits = PoolWaits(
        burst: .milliseconds(1_000), sustained: .milliseconds(100), patience: .milliseconds(500), callsPerThread: 2)
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    /// Of a pool whose calls take 50 ms each.
    private func bound(_ waits: PoolWaits? = waits) -> WaitBound {
        var bound = WaitBound(waits)
        for _ in 0..<10 { bound.ran(1, nanoseconds: 50_000_000) }
        return bound
    }

    private func ask(
        _ bound: inout WaitBound, queued: Int, after milliseconds: Int64 = 0, deadline: NIODeadline = .distantFuture
    ) -> WaitBound.Refusal? {
        bound.refusal(queued: queued, threads: 2, deadline: deadline) { start + .milliseconds(milliseconds) }
    }

    @Test("a burst may wait for long, but not for any time")
    func burst() {
        var bound = bound()
        #expect(bound.wait(queued: 40, threads: 2) == 1_000_000_000)
        #expect(ask(&bound, queued: 40) == nil)
        #expect(ask(&bound, queued: 41) == .tooLong)
    }

    @Test("once calls have been waiting for a while, only what will be served soon is taken")
    func sustained() {
        var bound = bound()
        #expect(ask(&bound, queued: 20) == nil)
        #expect(ask(&bound, queued: 20, after: 499) == nil)
        #expect(ask(&bound, queued: 20, after: 500) == .tooLong)
        #expect(ask(&bound, queued: 5, after: 10_000) == .tooLong)
        #expect(ask(&bound, queued: 4, after: 10_000) == nil)
    }

    @Test("when the queue has been empty, it may fill again")
    func reset() {
        var bound = bound()
        _ = ask(&bound, queued: 20)
        #expect(ask(&bound, queued: 20, after: 600) == .tooLong)
        bound.queueWasEmpty()
        #expect(ask(&bound, queued: 20, after: 700) == nil)
        // A queue that holds next to nothing counts as empty.
        #expect(ask(&bound, queued: 0, after: 800) == nil)
        #expect(ask(&bound, queued: 20, after: 1_250) == nil)
    }

    @Test("a few for each thread always may wait, however slow the store is")
    func slow() {
        var bound = bound()
        for _ in 0..<100 { bound.ran(1, nanoseconds: 4_000_000_000) }
        #expect(ask(&bound, queued: 3) == nil)
        #expect(ask(&bound, queued: 3, after: 5_000) == nil)
        #expect(ask(&bound, queued: 4, after: 5_000) == .tooLong)
    }

    @Test("who would be served only after the deadline is refused at once")
    func deadline() {
        var bound = bound()
        #expect(ask(&bound, queued: 8, deadline: start + .milliseconds(150)) == .tooLate)
        #expect(ask(&bound, queued: 8, deadline: start + .milliseconds(250)) == nil)
    }

    @Test("calls that share a commit wait for batches, not for each other")
    func batches() {
        var bound = WaitBound(Self.waits, batchSizeMax: 64)
        // Alone, each paid for a commit of its own.
        for _ in 0..<10 { bound.ran(1, nanoseconds: 10_000_000) }
        #expect(bound.wait(queued: 640, threads: 1) == 100_000_000)
        #expect(ask(&bound, queued: 2_000) == nil)
    }

    @Test("without bounds, and before anything is known, all may wait")
    func unbounded() {
        var lifted = bound(nil)
        #expect(ask(&lifted, queued: 1_000_000) == nil)
        var fresh = WaitBound(Self.waits)
        #expect(ask(&fresh, queued: 1_000_000) == nil)
    }
}
