import Foundation
import LeasedQueue
import NIOCore
import RPC
import Storage
import TestSupport
import Testing

/// What every queue and its worker have in common, whatever is done for an item.
@Suite("Leased queues", .timeLimit(.minutes(10)))
struct LeasedQueueTests {
    private static let away = StorageError(.connectionLost, "gone")

    private func names(_ count: Int) -> [String] { (0..<count).map { "job\($0)" } }

    @Test("workers that run at the same time do each item once", arguments: QueueStoreKind.allCases)
    func once(kind: QueueStoreKind) async throws {
        try await withJobs(kind) { jobs in
            let (first, second) = (JobHandler(), JobHandler())
            var policy = QueuePolicy.quick
            policy.concurrencyMax = 3
            let names = names(120)
            try await jobs.jobs.add(names)
            try await withWorker(jobs, first, policy) { one, _ in
                try await withWorker(WatchedJobs(jobs.jobs.other), second, policy) { other, _ in
                    try await eventually("all done") { try await jobs.isEmpty }
                    try await eventually("their count") { one.counts.values.done + other.counts.values.done == 120 }
                }
            }
            #expect((first.seen.begun + second.seen.begun).sorted() == names.sorted())
            #expect(first.seen.runningMax <= 3 && second.seen.runningMax <= 3)
        }
    }

    @Test(
        "claimers at the same time never get the same item, and each gets what is due for longest first",
        arguments: QueueStoreKind.allCases)
    func claims(kind: QueueStoreKind) async throws {
        try await withJobs(kind) { jobs in
            for name in names(6) {
                try await jobs.jobs.add([name])
                try await Task.sleep(for: .milliseconds(2))
            }
            let first = try await jobs.take(4)
            #expect(first.map(\.item) == ["job0", "job1", "job2", "job3"])
            #expect(first.allSatisfy { $0.attempts == 0 && $0.lease.itemID == $0.item })
            #expect(try await jobs.take().map(\.item) == ["job4", "job5"])
            try await jobs.jobs.add((0..<60).map { "more\($0)" })
            let claimed = try await withThrowingTaskGroup(of: [String].self) { tasks in
                for _ in 0..<4 {
                    tasks.addTask {
                        var mine: [String] = []
                        while case let items = try await jobs.take(7), !items.isEmpty { mine += items.map(\.item) }
                        return mine
                    }
                }
                return try await tasks.reduce(into: [String]()) { $0 += $1 }
            }
            #expect(claimed.count == 60 && Set(claimed).count == 60)
        }
    }

    @Test(
        "an item whose claimant died is due again when its lease ends, and the first lease is worthless",
        arguments: QueueStoreKind.allCases)
    func leaseEnds(kind: QueueStoreKind) async throws {
        try await withJobs(kind) { jobs in
            try await jobs.jobs.add(["job"])
            let dead = try #require(try await jobs.take(lease: .milliseconds(300)).first)
            #expect(try await jobs.take().isEmpty)
            var next: LeasedItem<String>?
            try await eventually("the lease's end") {
                next = try await jobs.take().first
                return next != nil
            }
            let item = try #require(next)
            #expect(item.attempts == 1 && item.lease.token != dead.lease.token)
            try await jobs.finish([dead.lease], deadline: .never)
            #expect(try await !jobs.retry(dead.lease, after: .zero, error: "late", deadline: .never))
            #expect(try await !jobs.deadLetter(dead.lease, error: "late", deadline: .never))
            #expect(try await jobs.left == LeasedQueueStatistics(pending: 1))
            try await jobs.finish([item.lease], deadline: .never)
            #expect(try await jobs.isEmpty)
        }
    }

    @Test(
        "a failed try is repeated after waits within the policy's bounds, and the last one makes a dead letter",
        arguments: QueueStoreKind.allCases)
    func retries(kind: QueueStoreKind) async throws {
        try await withJobs(kind) { jobs in
            let handler = JobHandler { _ in .retry(after: nil, reason: String(repeating: "no", count: 1_000)) }
            var policy = QueuePolicy.quick
            policy.backoff.factor = 2
            policy.backoff.jitter = 0.5
            policy.triesMax = 5
            try await jobs.jobs.add(["job"])
            try await withWorker(jobs, handler, policy) { worker, _ in
                try await eventually("a dead letter") { worker.counts.values.deadLettered == 1 }
                #expect(worker.counts.values == QueueCounts.Values(retried: 4, deadLettered: 1))
            }
            #expect(handler.seen.attempts == [0, 1, 2, 3, 4])
            let waits = jobs.seen.waits
            #expect(waits.count == 4)
            for (wait, middle) in zip(waits, [5, 10, 20, 20]) {
                #expect(wait >= .milliseconds(middle) / 2 && wait <= .milliseconds(middle) * 3 / 2, "\(waits)")
            }
            #expect(jobs.seen.errors.allSatisfy { $0.utf8.count <= QueuePolicy.errorBytesMax + "…".utf8.count })
            #expect(try await jobs.left == LeasedQueueStatistics(deadLetters: 1))
            #expect(try await jobs.take().isEmpty)
        }
    }

    @Test("an outcome says when an item is tried again, or that it never is", arguments: QueueStoreKind.allCases)
    func outcomes(kind: QueueStoreKind) async throws {
        try await withJobs(kind) { jobs in
            let handler = JobHandler { name in
                switch name {
                case "later": .retry(after: .seconds(3_600), reason: "later")
                case "never": .deadLetter(reason: "never")
                default: .stored
                }
            }
            try await jobs.jobs.add(["later", "never", "stored"])
            try await withWorker(jobs, handler) { worker, _ in
                try await eventually("three outcomes") {
                    worker.counts.values == QueueCounts.Values(done: 1, retried: 1, deadLettered: 1)
                }
            }
            #expect(handler.seen.begun.sorted() == ["later", "never", "stored"])
            #expect(jobs.seen.waits == [.seconds(3_600)] && jobs.seen.finished.isEmpty)
            #expect(try await jobs.left == LeasedQueueStatistics(pending: 2, deadLetters: 1))
        }
    }

    @Test("a notification wakes the worker at once, also one of before", arguments: QueueStoreKind.allCases)
    func wakeup(kind: QueueStoreKind) async throws {
        try await withJobs(kind) { jobs in
            var policy = QueuePolicy.quick
            policy.pollInterval = .seconds(3_600)
            let handler = JobHandler()
            try await withWorker(jobs, handler, policy) { worker, _ in
                try await eventually("the first look") { jobs.seen.claims > 0 }
                for name in names(3) {
                    try await jobs.jobs.add([name])
                    worker.wakeup.notify()
                    try await eventually("\(name)") { handler.seen.begun.last == name }
                }
            }
        }
    }

    @Test(
        "a worker that stops finishes what was begun, uncancelled, and gives back what was not",
        arguments: QueueStoreKind.allCases)
    func stops(kind: QueueStoreKind) async throws {
        try await withJobs(kind) { jobs in
            var policy = QueuePolicy.quick
            policy.concurrencyMax = 4
            policy.claimedAhead = 6
            let handler = JobHandler()
            handler.hold(true)
            try await jobs.jobs.add(names(20))
            try await withWorker(jobs, handler, policy) { worker, running in
                try await eventually("four that run") { handler.seen.running == 4 }
                let unclaimed = try await jobs.take()
                #expect(unclaimed.count == 10, "ten are claimed")
                for item in unclaimed {
                    try await jobs.jobs.retry(item.lease, after: .zero, error: "", deadline: .after(.seconds(20)))
                }
                await running.beginStop()
                try await eventually("what is released") { jobs.seen.waits.count == 6 }
                handler.hold(false)
                await running.stop()
                #expect(worker.counts.values == QueueCounts.Values(done: 4))
            }
            #expect(handler.seen.begun.count == 4 && handler.seen.cancelled == 0)
            // At once, and not after their lease.
            #expect(try await jobs.take().count == 16)
        }
    }

    @Test("items that wait in the worker are not begun once their lease has ended", arguments: QueueStoreKind.allCases)
    func lateItems(kind: QueueStoreKind) async throws {
        try await withJobs(kind) { jobs in
            var policy = QueuePolicy.quick
            policy.concurrencyMax = 1
            policy.claimedAhead = 1
            policy.lease = .seconds(1)
            let handler = JobHandler()
            handler.hold(true)
            try await jobs.jobs.add(names(2))
            try await withWorker(jobs, handler, policy) { _, _ in
                try await eventually("one that runs") { handler.seen.running == 1 }
                try await Task.sleep(for: .milliseconds(1_200))
                handler.hold(false)
                try await eventually("all done") { try await jobs.isEmpty }
                #expect(handler.seen.attempts == [0, 1], "the second was claimed twice and begun once")
            }
        }
    }
}

// MARK: - A store that is away

extension LeasedQueueTests {
    @Test("a store that is away is logged once, and worked on when it is back", arguments: QueueStoreKind.allCases)
    func storeAway(kind: QueueStoreKind) async throws {
        try await withJobs(kind) { jobs in
            let (handler, log) = (JobHandler(), LogCapture())
            jobs.set { $0.fault = Self.away }
            try await jobs.jobs.add(names(3))
            try await withWorker(jobs, handler, log: log) { _, _ in
                try await eventually("some tries") { jobs.seen.claims >= 5 }
                #expect(handler.seen.begun.isEmpty)
                jobs.set { $0.fault = nil }
                try await eventually("all done") { try await jobs.isEmpty }
            }
            #expect(log.text.components(separatedBy: "no jobs can be claimed").count == 2, "\(log.text)")
            #expect(log.text.components(separatedBy: "jobs can be claimed again").count == 2, "\(log.text)")
        }
    }

    @Test(
        "what was done is stored when the store is back, and nothing else takes its place before",
        arguments: QueueStoreKind.allCases)
    func outcomesWait(kind: QueueStoreKind) async throws {
        try await withJobs(kind) { jobs in
            let (handler, log) = (JobHandler(), LogCapture())
            var policy = QueuePolicy.quick
            policy.concurrencyMax = 1
            jobs.set { $0.outcomeFault = Self.away }
            try await jobs.jobs.add(names(2))
            try await withWorker(jobs, handler, policy, log: log) { worker, _ in
                try await eventually("a log line") { log.text.contains("could not be stored") }
                try await Task.sleep(for: .milliseconds(100))
                #expect(handler.seen.begun.count == 1 && worker.counts.values.done == 0)
                jobs.set { $0.outcomeFault = nil }
                try await eventually("all done") { try await jobs.isEmpty }
            }
            #expect(handler.seen.begun.sorted() == names(2))
            #expect(log.text.components(separatedBy: "could not be stored").count == 2, "once: \(log.text)")
        }
    }

    @Test("what can't be stored is abandoned when the worker stops and its patience is over")
    func abandons() async throws {
        try await withJobs(.sqlite) { jobs in
            let handler = JobHandler()
            var policy = QueuePolicy.quick
            policy.stopTimeout = .milliseconds(200)
            jobs.set { $0.outcomeFault = Self.away }
            try await jobs.jobs.add(["job"])
            try await withWorker(jobs, handler, policy) { _, running in
                try await eventually("a try") { !handler.seen.begun.isEmpty && handler.seen.running == 0 }
                let took = await ContinuousClock().measure { await running.stop() }
                #expect(took >= .milliseconds(190) && took < .seconds(10), "\(took)")
                try await eventually("a call to the handler") { handler.seen.isAbandoned }
            }
            #expect(try await jobs.left.pending == 1)
        }
    }

    @Test("items that are done while others are being stored are stored together", arguments: QueueStoreKind.allCases)
    func together(kind: QueueStoreKind) async throws {
        try await withJobs(kind) { jobs in
            let handler = JobHandler()
            var policy = QueuePolicy.quick
            policy.concurrencyMax = 4
            policy.claimedAhead = 26
            policy.finishesTogether = true
            jobs.set { $0.isHoldingFinish = true }
            try await jobs.jobs.add(names(50))
            try await withWorker(jobs, handler, policy) { worker, _ in
                try await eventually("as many as may be claimed") { handler.seen.begun.count == 30 }
                try await Task.sleep(for: .milliseconds(100))
                // Until they are stored nothing more is claimed.
                #expect(handler.seen.begun.count == 30 && worker.counts.values.done == 0)
                jobs.set { $0.isHoldingFinish = false }
                try await eventually("all done") { try await jobs.isEmpty }
                try await eventually("their count") { worker.counts.values.done == 50 }
            }
            #expect(jobs.seen.finished.count <= 22, "\(jobs.seen.finished.map(\.count))")
            #expect(jobs.seen.finished.map(\.count).max() ?? 0 >= 20)
        }
    }

    @Test("a lost lease is logged, and what another does stands", arguments: QueueStoreKind.allCases)
    func lostLease(kind: QueueStoreKind) async throws {
        try await withJobs(kind) { jobs in
            let handler = JobHandler { _ in .retry(after: nil, reason: "late") }
            let log = LogCapture()
            handler.hold(true)
            var policy = QueuePolicy.quick
            policy.concurrencyMax = 1
            policy.lease = .milliseconds(50)
            try await jobs.jobs.add(["job"])
            try await withWorker(jobs, handler, policy, log: log) { _, running in
                try await eventually("a try") { handler.seen.running > 0 }
                await running.beginStop()
                var other: LeasedItem<String>?
                try await eventually("another's claim") {
                    other = try await jobs.take().first
                    return other != nil
                }
                handler.hold(false)
                try await eventually("a log line") { log.text.contains("a job's lease was lost to another") }
                #expect(try await jobs.take().isEmpty)
                try await jobs.finish([try #require(other).lease], deadline: .never)
                #expect(try await jobs.isEmpty)
            }
        }
    }
}

// MARK: - Clock and gate

extension LeasedQueueTests {
    @Test(
        "with a clock that is set back, an item is due after the same delay, and a lease keeps its length",
        arguments: QueueStoreKind.allCases)
    func clock(kind: QueueStoreKind) async throws {
        try await withJobs(kind) { jobs in
            try await jobs.jobs.add(["leased"])
            #expect(try await jobs.take(lease: .seconds(600)).map(\.item) == ["leased"])
            try await jobs.jobs.add(["retried"])
            let retried = try #require(try await jobs.take().first)
            #expect(try await jobs.retry(retried.lease, after: .seconds(2), error: "no", deadline: .never))
            try await jobs.jobs.add(["fresh"])
            try await jobs.jobs.setClockBack()
            let restarted = jobs.jobs.other
            var seen: [String] = []
            try await eventually("two items") {
                seen += try await restarted.claim(limit: 100, lease: .seconds(600), deadline: .never).map(\.item)
                return seen.count >= 2
            }
            #expect(seen == ["fresh", "retried"])
            #expect(try await restarted.claim(limit: 100, lease: .seconds(600), deadline: .never).isEmpty)
        }
    }

    @Test("a fault pauses the whole worker; then it tries with one item until one gets through")
    func gate() async throws {
        try await withJobs(.sqlite) { jobs in
            var pause = Backoff()
            pause.first = .milliseconds(100)
            pause.longest = .milliseconds(100)
            let gate = QueueGate(pause: pause)
            let handler = JobHandler { _ in .retry(after: gate.fault(), reason: "down") }
            try await jobs.jobs.add(names(12))
            try await withWorker(jobs, handler, gate: gate) { _, _ in
                // Eight of before the first fault is known, and then one at a time.
                try await eventually("three more tries") { handler.seen.begun.count >= 8 + 3 }
                let begun = handler.seen.begun.count
                let took = try await ContinuousClock().measure { try await Task.sleep(for: .milliseconds(400)) }
                #expect(Double(handler.seen.begun.count - begun) <= took / .milliseconds(80) + 1)
                #expect(gate.isHeld)
            }
            #expect(handler.seen.runningMax <= 8)
        }
    }

    @Test("a pause grows with the faults, once for those that went on together, and ends with a try that gets through")
    func pauses() {
        var pause = Backoff()
        pause.first = .milliseconds(500)
        pause.factor = 2
        pause.longest = .seconds(30)
        let gate = QueueGate(pause: pause)
        var now = NIODeadline.uptimeNanoseconds(1)
        var waits: [Duration] = []
        #expect(gate.concurrency(of: 4, now: now) == 4)
        for _ in 0..<12 {
            let wait = gate.fault(now: now, random: 0.5)
            #expect(gate.fault(now: now, random: 0.5) == wait)
            waits.append(wait)
            #expect(gate.concurrency(of: 4, now: now + .milliseconds(1)) == 0)
            now = now + TimeAmount(wait)
            #expect(gate.concurrency(of: 4, now: now) == 1)
        }
        #expect(waits.first == .milliseconds(500) && waits[1] == .seconds(1) && waits.last == .seconds(30))
        gate.open()
        #expect(gate.concurrency(of: 4, now: now) == 4)
    }
}
