import Idempotency
import LeasedQueue
import Logging
import MongoStorage
import RPC
import SQLiteStorage
import Storage
import Synchronization
import TestSupport
import Testing

/// The stores that every test of queues runs against.
enum QueueStoreKind: String, CaseIterable, CustomTestStringConvertible {
    case sqlite
    case mongo

    var testDescription: String { rawValue }
}

/// The least that a queue needs: its items are names.
protocol JobQueue: LeasedQueue where Item == String {
    func add(_ names: [String]) async throws

    /// Moves stored times into the future, as if the clock was set back by an hour.
    func setClockBack() async throws

    /// The same jobs, as another process sees them.
    var other: any JobQueue { get }
}

private let soon = Duration.seconds(20)
private let hourMilliseconds: Int64 = 3_600_000

struct SQLiteJobs: JobQueue, SQLiteLeasedQueue {
    static let migrations = [
        """
        CREATE TABLE jobs (
            name TEXT NOT NULL PRIMARY KEY,
            state TEXT NOT NULL DEFAULT 'pending',
            due_at INTEGER NOT NULL,
            scheduled_at INTEGER NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            claim TEXT,
            last_error TEXT
        );
        CREATE INDEX jobs_due_at ON jobs (due_at) WHERE state = 'pending';
        """
    ]
    static let leases = SQLiteLeases(
        table: "jobs", id: "name", pending: "state = 'pending'", columns: "name", microsecondsPerUnit: 1_000)
    private static let insert = SQLiteQuery("INSERT INTO jobs (name, due_at, scheduled_at) VALUES (?1, ?2, ?2)")
    private static let finished = leases.whileHeld("DELETE FROM jobs")
    private static let deadLettered = leases.whileHeld("UPDATE jobs SET state = 'dead', last_error = ?3")
    private static let count = SQLiteQuery(
        "SELECT count(*) FILTER (WHERE state = 'pending'), count(*) FILTER (WHERE state = 'dead') FROM jobs")

    let store: SQLiteStore
    let steps = Pace(every: ClockStep.interval)

    static func item(_ row: SQLiteRow) -> String { row.string(0) }

    var other: any JobQueue { SQLiteJobs(store: store) }

    func add(_ names: [String]) async throws {
        try await store.write(deadline: .after(soon)) { connection in
            let now = WallClock.microseconds / 1_000
            for name in names { try connection.statement(Self.insert).bind(1, name).bind(2, now).run() }
        }
    }

    func setClockBack() async throws {
        try await store.write(deadline: .after(soon)) {
            try $0.execute(
                """
                UPDATE jobs SET due_at = due_at + \(hourMilliseconds), scheduled_at = scheduled_at + \(hourMilliseconds)
                """)
        }
    }

    func finish(_ leases: [Lease], deadline: Deadline) async throws {
        try await store.write(deadline: deadline) { connection in
            for lease in leases {
                try connection.statement(Self.finished).bind(1, lease.itemID).bind(2, lease.token).run()
            }
        }
    }

    func deadLetter(_ lease: Lease, error: String, deadline: Deadline) async throws -> Bool {
        try await store.write(deadline: deadline) {
            try $0.statement(Self.deadLettered)
                .bind(1, lease.itemID).bind(2, lease.token).bind(3, error).run() > 0
        }
    }

    func statistics(deadline: Deadline) async throws -> LeasedQueueStatistics {
        let found = try await store.read(deadline: deadline) {
            try $0.statement(Self.count).first {
                LeasedQueueStatistics(pending: Int($0.int64(0)), deadLetters: Int($0.int64(1)))
            }
        }
        return found ?? LeasedQueueStatistics()
    }
}

struct MongoJobs: JobQueue, MongoLeasedQueue {
    static let jobs = "jobs"
    static let leases = MongoLeases(collection: jobs, pending: ["state": "pending"])

    let store: MongoStore
    let steps = Pace(every: ClockStep.interval)

    static func item(_ document: BSONView) -> String { document.string("_id") }

    var other: any JobQueue { MongoJobs(store: store) }

    static func prepare(_ connection: MongoConnection) throws {
        try connection.ensureIndex(jobs, name: "state_1_due_at_1", keys: ["state": 1, "due_at": 1])
    }

    func add(_ names: [String]) async throws {
        try await store.run(deadline: .after(soon)) { connection in
            let now = BSONValue.date(milliseconds: WallClock.microseconds / 1_000)
            for name in names {
                try connection.collection(Self.jobs).insert(
                    [
                        "_id": .string(name), "state": "pending", "due_at": now, "scheduled_at": now, "attempts": 0,
                        "claim": "",
                    ], deadline: .after(soon))
            }
        }
    }

    func setClockBack() async throws {
        try await store.run(deadline: .after(soon)) { connection in
            let jobs = connection.collection(Self.jobs)
            var found: [(name: String, dueAt: Int64, scheduledAt: Int64)] = []
            try jobs.find([:], limit: 100, deadline: .after(soon)) {
                found.append(($0.string("_id"), $0.date("due_at"), $0.date("scheduled_at")))
                return true
            }
            for job in found {
                try jobs.update(
                    ["_id": .string(job.name)],
                    [
                        "$set": [
                            "due_at": .date(milliseconds: job.dueAt + hourMilliseconds),
                            "scheduled_at": .date(milliseconds: job.scheduledAt + hourMilliseconds),
                        ]
                    ], deadline: .after(soon))
            }
        }
    }

    func finish(_ leases: [Lease], deadline: Deadline) async throws {
        try await store.run(deadline: deadline) { connection in
            for lease in leases {
                try connection.collection(Self.jobs).delete(Self.leases.held(lease), deadline: deadline)
            }
        }
    }

    func deadLetter(_ lease: Lease, error: String, deadline: Deadline) async throws -> Bool {
        try await update(lease, ["state": "dead", "last_error": .string(error)], deadline)
    }

    func statistics(deadline: Deadline) async throws -> LeasedQueueStatistics {
        try await store.run(deadline: deadline) { connection in
            let jobs = connection.collection(Self.jobs)
            return LeasedQueueStatistics(
                pending: try jobs.count(["state": "pending"], limit: 10_000, deadline: deadline),
                deadLetters: try jobs.count(["state": "dead"], limit: 10_000, deadline: deadline))
        }
    }
}

/// Lends an empty queue of a kind.
func withJobs(_ kind: QueueStoreKind, _ body: (WatchedJobs) async throws -> Void) async throws {
    let folder = try TemporaryFolder()
    let logger = Logger(label: "test")
    let store: any Store
    let jobs: any JobQueue
    switch kind {
    case .sqlite:
        let sqlite = try SQLiteStore(
            path: folder.file("jobs.sqlite"), name: "jobs", migrations: SQLiteJobs.migrations, logger: logger)
        (store, jobs) = (sqlite, SQLiteJobs(store: sqlite))
    case .mongo:
        let mongo = try MongoStore(
            try MongoAddress(try await MongoServer.shared.value.uri()), name: "jobs", threads: 4, logger: logger,
            prepare: MongoJobs.prepare)
        (store, jobs) = (mongo, MongoJobs(store: mongo))
    }
    try store.start()
    let result = await Result(catching: {
        try await eventually("the store") { store.isReady }
        try await body(WatchedJobs(jobs))
    })
    await store.shutdown()
    try result.get()
}

/// A stored queue that fails as a test asks, and remembers what was said of its items.
final class WatchedJobs: LeasedQueue {
    struct State: Sendable {
        /// Thrown by every call when set.
        var fault: StorageError?
        /// Only by those that store outcomes.
        var outcomeFault: StorageError?
        /// Holds up those that take items out.
        var isHoldingFinish = false
        var claims = 0
        /// Leases of each call that took items out.
        var finished: [[Lease]] = []
        var waits: [Duration] = []
        var errors: [String] = []
    }

    let jobs: any JobQueue
    let state = Mutex(State())

    init(_ jobs: any JobQueue) { self.jobs = jobs }

    func set(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }

    var seen: State { state.withLock { $0 } }

    /// Nothing is left, as the store itself says.
    var isEmpty: Bool { get async throws { try await left == LeasedQueueStatistics() } }

    var left: LeasedQueueStatistics { get async throws { try await jobs.statistics(deadline: .after(soon)) } }

    func take(_ limit: Int = 100, lease: Duration = .seconds(60)) async throws -> [LeasedItem<String>] {
        try await jobs.claim(limit: limit, lease: lease, deadline: .after(soon))
    }

    private func check(isOutcome: Bool = false) throws {
        let seen = seen
        if let fault = seen.fault ?? (isOutcome ? seen.outcomeFault : nil) { throw fault }
    }

    func claim(limit: Int, lease: Duration, deadline: Deadline) async throws -> [LeasedItem<String>] {
        set { $0.claims += 1 }
        try check()
        return try await jobs.claim(limit: limit, lease: lease, deadline: deadline)
    }

    func finish(_ leases: [Lease], deadline: Deadline) async throws {
        while seen.isHoldingFinish { try await Task.sleep(for: .milliseconds(2)) }
        try check(isOutcome: true)
        try await jobs.finish(leases, deadline: deadline)
        set { $0.finished.append(leases) }
    }

    func retry(_ lease: Lease, after delay: Duration, error: String, deadline: Deadline) async throws -> Bool {
        try check(isOutcome: true)
        set {
            $0.waits.append(delay)
            $0.errors.append(error)
        }
        return try await jobs.retry(lease, after: delay, error: error, deadline: deadline)
    }

    func deadLetter(_ lease: Lease, error: String, deadline: Deadline) async throws -> Bool {
        try check(isOutcome: true)
        set { $0.errors.append(error) }
        return try await jobs.deadLetter(lease, error: error, deadline: deadline)
    }

    func statistics(deadline: Deadline) async throws -> LeasedQueueStatistics {
        try await jobs.statistics(deadline: deadline)
    }
}

/// A handler that does what a test asks, and remembers what it was given.
final class JobHandler: QueueHandler {
    struct State: Sendable {
        /// Names in the order in which they were begun.
        var begun: [String] = []
        var attempts: [Int] = []
        var running = 0
        var runningMax = 0
        var cancelled = 0
        var isAbandoned = false
        var isHolding = false
    }

    private let state = Mutex(State())
    private let outcome: @Sendable (String) -> QueueOutcome

    init(_ outcome: @escaping @Sendable (String) -> QueueOutcome = { _ in .done }) { self.outcome = outcome }

    var seen: State { state.withLock { $0 } }

    /// Holds up those that run and those that are begun.
    func hold(_ isHolding: Bool) { state.withLock { $0.isHolding = isHolding } }

    func handle(_ item: LeasedItem<String>) async -> QueueOutcome {
        state.withLock { state in
            state.begun.append(item.item)
            state.attempts.append(item.attempts)
            state.running += 1
            state.runningMax = max(state.runningMax, state.running)
        }
        while seen.isHolding, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(2)) }
        state.withLock { state in
            state.running -= 1
            if Task.isCancelled { state.cancelled += 1 }
        }
        return outcome(item.item)
    }

    func abandon() { state.withLock { $0.isAbandoned = true } }
}

extension QueuePolicy {
    /// Waits short enough for tests.
    static var quick: QueuePolicy {
        var policy = QueuePolicy()
        policy.pollInterval = .milliseconds(20)
        policy.backoff.first = .milliseconds(5)
        policy.backoff.longest = .milliseconds(20)
        return policy
    }
}

/// Runs a worker while `body` runs.
func withWorker(
    _ jobs: WatchedJobs, _ handler: JobHandler, _ policy: QueuePolicy = .quick, gate: QueueGate = QueueGate(),
    log: LogCapture = LogCapture(), _ body: (QueueWorker<String>, RunningService) async throws -> Void
) async throws {
    let worker = QueueWorker(
        jobs, handler, names: ("a job", "jobs"), policy: policy, gate: gate, logger: log.logger())
    let running = RunningService(worker)
    let result = await Result(catching: { try await body(worker, running) })
    handler.hold(false)
    await running.stop()
    try result.get()
}
