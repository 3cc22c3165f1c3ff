import Testing

@testable import Storage

@Suite("The estimated wait for a thread") struct WaitEstimateTests {
    @Test("a call waits for the calls before it, shared among the threads")
    func calls() {
        var estimate = WaitEstimate()
        #expect(estimate.wait(queued: 1_000_000, threads: 2) == 0, "nothing is known yet")
        for _ in 0..<10 { estimate.ran(1, nanoseconds: 50_000_000) }
        #expect(estimate.wait(queued: 40, threads: 2) == 1_000_000_000)
        #expect(estimate.wait(queued: 40, threads: 0) == 2_000_000_000)
    }

    @Test("calls that share a commit wait for batches, not for each other")
    func batches() {
        var estimate = WaitEstimate(batchSizeMax: 64)
        // One call per batch: each pays for its own commit.
        for _ in 0..<10 { estimate.ran(1, nanoseconds: 10_000_000) }
        estimate.ran(0, nanoseconds: 5)
        #expect(estimate.wait(queued: 640, threads: 1) == 100_000_000)
    }
}
