import NIOCore
import RPC
import Testing

@testable import Storage

private struct TestJob: PoolQueueable, Equatable {
    var number: Int
    var isAbandoned = false
}

private let epoch = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

@Suite struct PoolStateTests {
    private func running(
        threads: Int = 1, capacity: Int = 4, batch: Int = 1, queuedPerWake: Int = 0, connected: Int? = nil
    ) -> PoolState<TestJob> {
        var configuration = PoolConfiguration(name: "test", threads: threads)
        configuration.queueCapacity = capacity
        configuration.batchSizeMax = batch
        configuration.queuedPerWake = queuedPerWake
        var state = PoolState<TestJob>(configuration)
        state.start(now: epoch)
        for index in 0..<(connected ?? threads) { state.connected(index) }
        return state
    }

    private func next(_ state: inout PoolState<TestJob>, _ index: Int = 0, finished: Int = 0) -> (
        PoolState<TestJob>.WorkerStep, [Int]
    ) {
        var batch: [TestJob] = []
        let step = state.next(index, finished: finished, pingAt: nil, now: { epoch }, into: &batch)
        return (step, batch.map(\.number))
    }

    private func isRejected(_ submission: PoolState<TestJob>.Submission, _ kind: StorageError.Kind) -> Bool {
        if case .rejected(let error) = submission { error.kind == kind } else { false }
    }

    private func wakes(_ submission: PoolState<TestJob>.Submission) -> Bool {
        if case .queued(let wakeWorker, _) = submission { wakeWorker } else { false }
    }

    @Test("calls come out in the order in which they went in, as many at once as a batch holds")
    func batches() {
        var state = running(batch: 2)
        for number in 1...3 { _ = state.submit(TestJob(number: number)) { epoch } }
        #expect(next(&state) == (.run, [1, 2]))
        #expect(state.runningCount == 2)
        #expect(next(&state, finished: 2) == (.run, [3]))
        #expect(state.runningCount == 1)
        #expect(next(&state, finished: 1) == (.wait, []))
        #expect(state.runningCount == 0)
    }

    @Test("a full queue rejects at once, and takes calls again when some have gone")
    func full() {
        var state = running(capacity: 2)
        _ = state.submit(TestJob(number: 1)) { epoch }
        _ = state.submit(TestJob(number: 2)) { epoch }
        #expect(isRejected(state.submit(TestJob(number: 3)) { epoch }, .overloaded))
        #expect(next(&state) == (.run, [1]))
        #expect(!isRejected(state.submit(TestJob(number: 4)) { epoch }, .overloaded))
    }

    @Test("callers that went away make room in a full queue")
    func abandoned() {
        var state = running(capacity: 2)
        _ = state.submit(TestJob(number: 1, isAbandoned: true)) { epoch }
        _ = state.submit(TestJob(number: 2)) { epoch }
        state.recordAbandoned()
        #expect(!isRejected(state.submit(TestJob(number: 3)) { epoch }, .overloaded))
        #expect(next(&state).1 == [2])
        #expect(next(&state).1 == [3])
    }

    @Test("only an idle worker is woken, and only once for one sleep")
    func wakesOnce() {
        var state = running()
        #expect(!wakes(state.submit(TestJob(number: 1)) { epoch }))
        #expect(next(&state) == (.run, [1]))
        #expect(next(&state, finished: 1) == (.wait, []))
        #expect(wakes(state.submit(TestJob(number: 2)) { epoch }))
        #expect(!wakes(state.submit(TestJob(number: 3)) { epoch }))
        #expect(next(&state) == (.run, [2]))
        #expect(state.idleCount == 0)
        #expect(state.wakesPending == 0)
    }

    @Test("a second worker sleeps on until enough calls wait")
    func wakeThreshold() {
        var state = running(threads: 2, batch: 1, queuedPerWake: 2)
        #expect(next(&state, 0) == (.wait, []))
        #expect(next(&state, 1) == (.wait, []))
        #expect(wakes(state.submit(TestJob(number: 1)) { epoch }))
        #expect(!wakes(state.submit(TestJob(number: 2)) { epoch }))
        #expect(wakes(state.submit(TestJob(number: 3)) { epoch }))
    }

    @Test("a worker that wakes by itself takes over the wake of another, and the counts stay right")
    func stolenWake() {
        var state = running(threads: 2)
        _ = next(&state, 0)
        _ = next(&state, 1)
        #expect(wakes(state.submit(TestJob(number: 1)) { epoch }))
        // The wake was meant for worker 0; worker 1 wakes first, because its ping is due.
        #expect(next(&state, 1) == (.run, [1]))
        #expect(next(&state, 0) == (.wait, []))
        #expect(state.idleCount == 1)
        #expect(next(&state, 1, finished: 1) == (.wait, []))
        #expect(state.idleCount == 2)
        #expect(state.wakesPending == 0)
    }

    @Test("an idle worker pings when its time has come")
    func pings() {
        var state = running()
        var batch: [TestJob] = []
        let soon = epoch + .seconds(5)
        #expect(
            state.next(0, finished: 0, pingAt: soon, now: { epoch }, into: &batch) == .waitUntil(soon))
        #expect(state.next(0, finished: 0, pingAt: soon, now: { soon }, into: &batch) == .ping)
    }

    @Test("the pause before connecting again doubles up to its limit, less up to half at random")
    func backoff() {
        let backoff = PoolConfiguration(name: "test", threads: 1).backoff
        let pauses = (1...8).map { backoff.wait(after: $0, random: 1) / .milliseconds(1) }
        #expect(pauses == [50, 100, 200, 400, 800, 1600, 2000, 2000])
        #expect(backoff.wait(after: 1, random: 0) == .milliseconds(25))
    }

    @Test("a worker in backoff waits for its time, connects, and starts afresh after success")
    func retries() {
        var state = running(connected: 0)
        state.connectFailed(0, StorageError(.connectionLost, "no route"), now: epoch, random: 1)
        #expect(state.lastError?.message == "no route")
        #expect(state.retry(0, now: epoch) == .waitUntil(epoch + .milliseconds(50)))
        #expect(state.retry(0, now: epoch + .milliseconds(50)) == .run)
        state.connected(0)
        #expect(state.isReady)
        #expect(state.lastError == nil)
        state.lost(0, StorageError(.connectionLost, "reset"), finished: 0, now: epoch)
        #expect(!state.isReady)
        state.connectFailed(0, StorageError(.connectionLost, "no route"), now: epoch, random: 1)
        #expect(state.retry(0, now: epoch) == .waitUntil(epoch + .milliseconds(50)))
    }

    @Test("calls wait for a lost connection for the grace time, and fail at once after it")
    func outage() {
        var state = running()
        state.lost(0, StorageError(.connectionLost, "reset"), finished: 0, now: epoch)
        #expect(!isRejected(state.submit(TestJob(number: 1)) { epoch }, .connectionLost))
        guard case .waitUntil(let end) = state.supervise(now: epoch) else {
            Issue.record("the supervisor must wait for the end of the grace time")
            return
        }
        #expect(end == epoch + .seconds(1))
        guard case .fail(let jobs, let error) = state.supervise(now: end) else {
            Issue.record("the supervisor must fail the call")
            return
        }
        #expect(jobs == [TestJob(number: 1)])
        #expect(error.message == "not connected: reset")
        #expect(isRejected(state.submit(TestJob(number: 2)) { end }, .connectionLost))
    }

    @Test("a permanent failure fails calls at once, and is forgotten once a connection succeeds")
    func permanentFailure() {
        var state = running(connected: 0)
        state.connectFailed(0, StorageError(.accessDenied, "wrong password"), now: epoch, random: 1)
        #expect(state.permanentFailure?.message == "wrong password")
        #expect(isRejected(state.submit(TestJob(number: 1)) { epoch }, .connectionLost))
        state.connected(0)
        #expect(state.permanentFailure == nil)
    }

    @Test("calls that a lost connection left undone go back to the front of the queue")
    func requeue() {
        var state = running(threads: 2, batch: 3)
        for number in 1...4 { _ = state.submit(TestJob(number: number)) { epoch } }
        #expect(next(&state, 0) == (.run, [1, 2, 3]))
        state.lost(0, StorageError(.connectionLost, "reset"), finished: 1, now: epoch)
        #expect(state.requeue([TestJob(number: 2), TestJob(number: 3)]).isEmpty)
        #expect(state.runningCount == 0)
        #expect(next(&state, 1) == (.run, [2, 3, 4]))
    }

    @Test("after stop, waiting calls are still run, new ones rejected, and then the workers stop")
    func stops() {
        var state = running()
        _ = state.submit(TestJob(number: 1)) { epoch }
        state.stop()
        #expect(isRejected(state.submit(TestJob(number: 2)) { epoch }, .connectionLost))
        #expect(next(&state) == (.run, [1]))
        #expect(next(&state, finished: 1) == (.stop, []))
        state.stopped(0)
        #expect(state.phase == .stopped)
        guard case .stop = state.supervise(now: epoch) else {
            Issue.record("the supervisor must stop")
            return
        }
    }

    @Test("a ring buffer keeps its order around its end")
    func ring() {
        var ring = RingBuffer<Int>(capacity: 3)
        for round in 0..<10 {
            ring.append(round)
            ring.append(round + 100)
            #expect(ring.popFirst() == round)
            ring.prepend([round, round + 50])
            #expect(ring.isFull)
            ring.filter { $0 != round + 50 }
            #expect(ring.popFirst() == round)
            #expect(ring.popFirst() == round + 100)
            #expect(ring.popFirst() == nil)
        }
    }
}
