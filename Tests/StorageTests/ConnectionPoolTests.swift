import Foundation
import Logging
import RPC
import TestSupport
import Testing

@testable import Storage

@Suite(.timeLimit(.minutes(10))) struct ConnectionPoolTests {
    private let store = FakeStore()

    private func pool(
        threads: Int = 1, capacity: Int = 64, logger: Logger = Logger(label: "test"),
        _ change: (inout PoolConfiguration) -> Void = { _ in }
    ) -> ConnectionPool<FakeConnection> {
        var configuration = PoolConfiguration(name: "test", threads: threads)
        configuration.queueCapacity = capacity
        configuration.backoff.first = .milliseconds(1)
        configuration.backoff.longest = .milliseconds(20)
        change(&configuration)
        return ConnectionPool(configuration, logger: logger) { [store] in try store.connect() }
    }

    private func hold() { store.state.withLock { $0.isHolding = true } }
    private func letGo() { store.state.withLock { $0.isHolding = false } }

    @Test("calls run on the pool's threads and answer what they return or throw")
    func runs() async throws {
        let pool = pool(threads: 2, capacity: 1000)
        try pool.start()
        let sum = try await withThrowingTaskGroup(of: Int.self) { tasks in
            for number in 1...1000 { tasks.addTask { try await pool.run(deadline: .never) { _ in number } } }
            return try await tasks.reduce(0, +)
        }
        #expect(sum == 500_500)
        await #expect(throws: Status(.aborted, "no")) {
            try await pool.run(deadline: .never) { _ -> Int in throw Status(.aborted, "no") }
        }
        await pool.shutdown()
        #expect(store.state.withLock { $0.closedCount } == store.state.withLock { $0.connectionCount })
    }

    @Test("calls that wait together run in one batch, and are answered when the batch is")
    func batches() async throws {
        let pool = pool { $0.batchSizeMax = 8 }
        try pool.start()
        hold()
        let first = Task { try await pool.run(deadline: .never) { $0.store.passGate() } }
        #expect(await eventually { pool.gauges.running == 1 })
        let rest = (0..<20).map { _ in Task { try await pool.run(deadline: .never) { $0.jobCount += 1 } } }
        #expect(await eventually { pool.gauges.queued == 20 })
        letGo()
        try await first.value
        for task in rest { try await task.value }
        #expect(store.state.withLock { $0.batchSizes } == [0, 8, 8, 4])
        await pool.shutdown()
    }

    @Test("in a batch, one call that fails, one whose caller has left and a slow one change nothing for the others")
    func mixedBatch() async throws {
        let pool = pool { $0.batchSizeMax = 8 }
        try pool.start()
        hold()
        let first = Task { try await pool.run(deadline: .never) { $0.store.passGate() } }
        #expect(await eventually { pool.gauges.running == 1 })
        let good = (0..<3).map { number in
            Task {
                try await pool.run(deadline: .never) { connection -> Int in
                    connection.jobCount += 1
                    return number
                }
            }
        }
        let failing = Task {
            try await pool.run(deadline: .never) { connection -> Int in
                connection.jobCount += 1
                throw Status(.aborted, "no")
            }
        }
        let slow = Task {
            try await pool.run(deadline: .never) { connection -> Int in
                connection.jobCount += 1
                usleep(20_000)
                return 7
            }
        }
        let leaving = Task { try await pool.run(deadline: .never) { $0.jobCount += 1 } }
        #expect(await eventually { pool.gauges.queued == 6 })
        leaving.cancel()
        await #expect(throws: CancellationError.self) { try await leaving.value }
        letGo()
        try await first.value
        for (number, task) in good.enumerated() { #expect(try await task.value == number) }
        #expect(try await slow.value == 7)
        await #expect(throws: Status(.aborted, "no")) { try await failing.value }
        #expect(store.state.withLock { $0.batchSizes } == [0, 5])
        await pool.shutdown()
    }

    @Test("a caller that leaves while its batch runs is answered at once; the others when the batch is done")
    func leavesRunningBatch() async throws {
        let pool = pool { $0.batchSizeMax = 8 }
        try pool.start()
        hold()
        let first = Task { try await pool.run(deadline: .never) { $0.store.passGate() } }
        #expect(await eventually { pool.gauges.running == 1 })
        let leaving = Task { try await pool.run(deadline: .never) { $0.jobCount += 1 } }
        #expect(await eventually { pool.gauges.queued == 1 })
        let isHeld = Monitor(true)
        let hasBegun = Monitor(false)
        let staying = Task {
            try await pool.run(deadline: .never) { connection -> Int in
                hasBegun.withLock { $0 = true }
                while isHeld.withLock({ $0 }) { sched_yield() }
                return connection.jobCount
            }
        }
        #expect(await eventually { pool.gauges.queued == 2 })
        letGo()
        try await first.value
        // Not only taken: the one before it has run.
        #expect(await eventually { hasBegun.withLock { $0 } })
        leaving.cancel()
        await #expect(throws: CancellationError.self) { try await leaving.value }
        isHeld.withLock { $0 = false }
        // Before it the other one ran, all the same.
        #expect(try await staying.value == 1)
        await pool.shutdown()
    }

    @Test("a batch that fails at its end fails every call in it")
    func batchFails() async throws {
        let pool = pool { $0.batchSizeMax = 8 }
        try pool.start()
        store.state.withLock { $0.batchError = StorageError(.full, "the disk is full") }
        await #expect(throws: StorageError(.full, "the disk is full")) {
            try await pool.run(deadline: .never) { _ in }
        }
        store.state.withLock { $0.batchError = nil }
        try await pool.run(deadline: .never) { _ in }
        #expect(store.state.withLock { $0.connectionCount } == 1)
        await pool.shutdown()
    }

    @Test("a call whose deadline passes before its turn fails and never runs")
    func deadline() async throws {
        let pool = pool()
        try pool.start()
        hold()
        let first = Task { try await pool.run(deadline: .never) { $0.store.passGate() } }
        #expect(await eventually { pool.gauges.running == 1 })
        let late = Deadline.after(.milliseconds(20))
        let second = Task { try await pool.run(deadline: late) { $0.jobCount += 1 } }
        #expect(await eventually { pool.gauges.queued == 1 && late.isExpired })
        letGo()
        try await first.value
        let error = await #expect(throws: Status.self) { try await second.value }
        #expect(error?.code == .deadlineExceeded)
        #expect(store.state.withLock { $0.batchSizes.allSatisfy { $0 == 0 } })
        await pool.shutdown()
    }

    @Test("cancelling a task answers its caller at once, even while the driver hangs, and frees its place in the queue")
    func cancellation() async throws {
        let pool = pool(capacity: 2)
        try pool.start()
        hold()
        let hanging = Task { try await pool.run(deadline: .never) { $0.store.passGate() } }
        #expect(await eventually { pool.gauges.running == 1 })
        let waiting = (0..<2).map { _ in Task { try await pool.run(deadline: .never) { _ in } } }
        #expect(await eventually { pool.gauges.queued == 2 })
        for task in waiting + [hanging] { task.cancel() }
        for task in waiting + [hanging] {
            await #expect(throws: CancellationError.self) { try await task.value }
        }
        let next = Task { try await pool.run(deadline: .never) { _ in 7 } }
        #expect(await eventually { pool.gauges.queued == 1 })
        letGo()
        #expect(try await next.value == 7)
        await pool.shutdown()
    }

    @Test("a task that was cancelled before does not run anything")
    func cancelledBefore() async throws {
        let pool = pool()
        try pool.start()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await pool.run(deadline: .never) { _ in }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        await pool.shutdown()
    }

    @Test("a full queue sheds with RESOURCE_EXHAUSTED at once, and the log says once that it does")
    func overload() async throws {
        let log = LogCapture()
        let pool = pool(capacity: 3, logger: log.logger())
        try pool.start()
        hold()
        let first = Task { try await pool.run(deadline: .never) { $0.store.passGate() } }
        #expect(await eventually { pool.gauges.running == 1 })
        let waiting = (0..<3).map { _ in Task { try await pool.run(deadline: .never) { _ in } } }
        #expect(await eventually { pool.gauges.queued == 3 })
        for _ in 0..<3 {
            let error = await #expect(throws: StorageError.self) { try await pool.run(deadline: .never) { _ in } }
            #expect(error?.status.code == .resourceExhausted)
        }
        #expect(log.text.split(separator: "\n").filter { $0.contains("overloaded") }.count == 1, "\(log.text)")
        letGo()
        for task in waiting + [first] { try await task.value }
        await pool.shutdown()
    }

    @Test("a call whose turn comes after its longest wait gets RESOURCE_EXHAUSTED and does not run; the next ones do")
    func late() async throws {
        let pool = pool { $0.waitMax = .milliseconds(30) }
        try pool.start()
        hold()
        let first = Task { try await pool.run(deadline: .never) { $0.store.passGate() } }
        #expect(await eventually { pool.gauges.running == 1 })
        let waiting = (0..<3).map { _ in Task { try await pool.run(deadline: .never) { _ in } } }
        #expect(await eventually { pool.gauges.queued == 3 })
        let began = ContinuousClock.now
        #expect(await eventually { ContinuousClock.now - began > .milliseconds(31) })
        letGo()
        try await first.value
        for task in waiting {
            let error = await #expect(throws: StorageError.self) { try await task.value }
            #expect(error?.status.code == .resourceExhausted)
        }
        #expect(pool.gauges.shed == 3)
        #expect(await eventually { pool.gauges.running == 0 && pool.gauges.queued == 0 })
        #expect(try await pool.run(deadline: .never) { _ in 5 } == 5)
        await pool.shutdown()
    }

    @Test("a lost connection is made again; the call that found it gone fails, the ones behind it run")
    func reconnects() async throws {
        let pool = pool { $0.batchSizeMax = 8 }
        try pool.start()
        hold()
        let first = Task { try await pool.run(deadline: .never) { $0.store.passGate() } }
        #expect(await eventually { pool.gauges.running == 1 })
        let loser = Task {
            try await pool.run(deadline: .never) { _ in throw StorageError(.connectionLost, "reset by peer") }
        }
        #expect(await eventually { pool.gauges.queued == 1 })
        let followers = (0..<3).map { number in Task { try await pool.run(deadline: .never) { _ in number } } }
        #expect(await eventually { pool.gauges.queued == 4 })
        letGo()
        try await first.value
        let error = await #expect(throws: StorageError.self) { try await loser.value }
        #expect(error?.status.code == .unavailable)
        for (number, task) in followers.enumerated() { #expect(try await task.value == number) }
        #expect(store.state.withLock { $0.connectionCount } == 2)
        #expect(store.state.withLock { $0.closedCount } == 1)
        await pool.shutdown()
    }

    @Test("without a connection calls wait for the grace time, then fail; when the store is back they run")
    func outage() async throws {
        store.state.withLock { $0.isAway = true }
        let pool = pool { $0.outageGrace = .milliseconds(50) }
        try pool.start()
        let error = await #expect(throws: StorageError.self) { try await pool.run(deadline: .never) { _ in } }
        #expect(error?.status == Status(.unavailable, "the store can't be reached"))
        #expect(!pool.isReady)
        #expect(pool.lastError == "the store is away")
        store.state.withLock { $0.isAway = false }
        #expect(await eventually { pool.isReady })
        #expect(pool.lastError == nil)
        try await pool.run(deadline: .never) { _ in }
        await pool.shutdown()
    }

    @Test("an idle pool notices by its pings that the store has gone and that it is back")
    func pings() async throws {
        let pool = pool { $0.pingInterval = .milliseconds(10) }
        try pool.start()
        #expect(await eventually { pool.isReady })
        store.state.withLock { $0.isAway = true }
        #expect(await eventually { !pool.isReady })
        store.state.withLock { $0.isAway = false }
        #expect(await eventually { pool.isReady })
        await pool.shutdown()
    }

    @Test("shutdown lets waiting calls finish, rejects new ones, and may be called again")
    func shutdown() async throws {
        let pool = pool()
        try pool.start()
        hold()
        let calls = (0..<5).map { number in
            Task {
                try await pool.run(deadline: .never) { connection in
                    connection.store.passGate()
                    return number
                }
            }
        }
        #expect(await eventually { pool.gauges.queued == 4 })
        async let end: Void = pool.shutdown()
        #expect(await eventually { !pool.isReady })
        let error = await #expect(throws: StorageError.self) { try await pool.run(deadline: .never) { _ in } }
        #expect(error?.kind == .connectionLost)
        letGo()
        for (number, task) in calls.enumerated() { #expect(try await task.value == number) }
        await end
        await pool.shutdown()
        #expect(store.state.withLock { $0.closedCount } == 1)
    }

    @Test("shutdown ends also where no connection was ever made, and where the pool was never started")
    func shutdownWithoutConnection() async throws {
        store.state.withLock { $0.isAway = true }
        // Long enough that the call still waits when a slow machine gets to look.
        let pool = pool { $0.outageGrace = .seconds(60) }
        try pool.start()
        let call = Task { try await pool.run(deadline: .never) { _ in } }
        #expect(await eventually { pool.gauges.queued == 1 })
        await pool.shutdown()
        await #expect(throws: StorageError.self) { try await call.value }
        await self.pool().shutdown()
    }

    @Test("under load with cancellations, deadlines and lost connections every call is answered once")
    func storm() async throws {
        let pool = pool(threads: 3, capacity: 100_000) { $0.batchSizeMax = 4 }
        try pool.start()
        let answered = await withTaskGroup(of: Void.self) { tasks in
            for number in 0..<4000 {
                let task = Task {
                    let deadline = number % 7 == 0 ? Deadline.after(.microseconds(50)) : .never
                    try await pool.run(deadline: deadline) { _ in
                        if number % 97 == 0 { throw StorageError(.connectionLost, "reset") }
                    }
                }
                tasks.addTask {
                    if number % 5 == 0 { task.cancel() }
                    _ = await task.result
                }
            }
            return await tasks.reduce(0) { count, _ in count + 1 }
        }
        #expect(answered == 4000)
        #expect(await eventually { pool.gauges.queued == 0 && pool.gauges.running == 0 })
        await pool.shutdown()
    }
}
