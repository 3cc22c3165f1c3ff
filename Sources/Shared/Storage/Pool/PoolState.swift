import NIOCore
import RPC

/// A call as the queue sees it.
protocol PoolQueueable {
    /// Whether its caller has gone, so that its place in the queue is free.
    var isAbandoned: Bool { get }
}

/// What a pool knows and decides, without threads, clocks or connections: they are told to it, and carry out what it answers.
///
/// A worker's life: `connecting` → `ready` on success, → `backoff` on failure; `backoff` → `connecting` when its time has
/// come; `ready` → `backoff` when the connection is lost; any → `stopped` on shutdown.
struct PoolState<Job: PoolQueueable> {
    enum Phase: Equatable {
        /// → `running` by `start`.
        case new
        /// → `stopping` by `stop`.
        case running
        /// → `stopped` when the last worker has stopped.
        case stopping
        case stopped
    }

    enum Worker: Equatable {
        case connecting
        case ready
        /// Waits on the work condition and is counted in `idleCount`.
        case idle
        case backoff(attempt: Int, until: NIODeadline)
        case stopped
    }

    enum Submission {
        case queued(wakeWorker: Bool, wakeSupervisor: Bool)
        case rejected(StorageError)
    }

    enum WorkerStep: Equatable {
        /// Jobs were put into the batch.
        case run
        case ping
        case wait
        case waitUntil(NIODeadline)
        case stop
    }

    private let configuration: PoolConfiguration
    private(set) var phase = Phase.new
    private(set) var workers: [Worker]
    private var queue: RingBuffer<Job>
    private var estimate: WaitEstimate
    /// Calls that were shed as too many waited, so far.
    private(set) var shedCount = 0
    private(set) var readyCount = 0
    private(set) var idleCount = 0
    /// Wakes that were signalled and not yet taken up. Such a worker is no longer counted as idle.
    private(set) var wakesPending = 0
    private(set) var runningCount = 0
    /// Callers that went away while queued, so that a full queue knows whether looking for them is worth it.
    private var abandonedCount = 0
    /// When the calls that wait for a connection fail; meaningful while no worker is ready.
    private var outageEnd = NIODeadline.distantFuture
    private var failedAttempts: [Int]
    private(set) var lastError: StorageError?
    private(set) var permanentFailure: StorageError?

    init(_ configuration: PoolConfiguration) {
        precondition(configuration.threads > 0, "a pool needs a thread")
        precondition(configuration.batchSizeMax > 0, "a batch needs a call")
        self.configuration = configuration
        workers = Array(repeating: .connecting, count: configuration.threads)
        failedAttempts = Array(repeating: 0, count: configuration.threads)
        queue = RingBuffer(capacity: configuration.queueCapacity)
        estimate = WaitEstimate(batchSizeMax: configuration.batchSizeMax)
    }

    var queuedCount: Int { queue.count }
    var isReady: Bool { readyCount > 0 && phase == .running }
    /// Nanoseconds that one more call would wait, by how long calls took lately.
    var expectedWait: Int64 { estimate.wait(queued: queue.count, threads: readyCount) }

    mutating func start(now: NIODeadline) {
        precondition(phase == .new, "a pool is started once")
        phase = .running
        outageEnd = now + TimeAmount(configuration.outageGrace)
    }

    /// - Parameter now: called only in an outage, because reading the clock takes time.
    mutating func submit(_ job: Job, now: () -> NIODeadline) -> Submission {
        guard phase == .running else {
            return .rejected(StorageError(.connectionLost, "the pool \(configuration.name) is not running"))
        }
        if readyCount == 0, permanentFailure != nil || now() >= outageEnd {
            return .rejected(outageError)
        }
        // The queue may hold calls whose callers have left.
        if queue.isFull, abandonedCount > 0 {
            queue.filter { !$0.isAbandoned }
            abandonedCount = 0
        }
        guard !queue.isFull else { return .rejected(shed("\(queue.capacity) calls wait")) }
        return enqueue(job)
    }

    /// Counts a call that is shed and makes its error.
    mutating func shed(_ reason: String) -> StorageError {
        shedCount += 1
        return StorageError(.overloaded, "\(reason) for the pool \(configuration.name)")
    }

    private mutating func enqueue(_ job: Job) -> Submission {
        queue.append(job)
        let awake = readyCount - idleCount
        guard idleCount > 0, awake == 0 || queue.count > configuration.queuedPerWake * awake else {
            return .queued(wakeWorker: false, wakeSupervisor: readyCount == 0)
        }
        idleCount -= 1
        wakesPending += 1
        return .queued(wakeWorker: true, wakeSupervisor: false)
    }

    mutating func recordAbandoned() { abandonedCount += 1 }

    /// A worker has run a batch.
    mutating func ran(_ calls: Int, nanoseconds: Int64) { estimate.ran(calls, nanoseconds: nanoseconds) }

    /// What a connected worker does next. Called again after each wait.
    ///
    /// - Parameters:
    ///   - finished: how many jobs of its last batch are done.
    ///   - pingAt: when the worker has been idle for long enough.
    mutating func next(
        _ index: Int, finished: Int, pingAt: NIODeadline?, now: () -> NIODeadline, into batch: inout [Job]
    ) -> WorkerStep {
        runningCount -= finished
        if workers[index] == .idle { endIdling(index) }
        while batch.count < configuration.batchSizeMax, let job = queue.popFirst() {
            // What nobody waits for takes no time, and must not count as a call that took none.
            if !job.isAbandoned { batch.append(job) }
        }
        guard batch.isEmpty else {
            runningCount += batch.count
            return .run
        }
        abandonedCount = 0
        guard phase == .running else { return .stop }
        if let pingAt, now() >= pingAt { return .ping }
        workers[index] = .idle
        idleCount += 1
        return pingAt.map(WorkerStep.waitUntil) ?? .wait
    }

    /// A wake that was signalled to nobody in particular counts for whoever wakes first.
    private mutating func endIdling(_ index: Int) {
        workers[index] = .ready
        if wakesPending > 0 { wakesPending -= 1 } else { idleCount -= 1 }
    }

    /// Returns jobs that a worker took and did not begin to the front of the queue.
    ///
    /// - Returns: those for which there is no room any more.
    mutating func requeue(_ jobs: ArraySlice<Job>) -> [Job] {
        runningCount -= jobs.count
        let room = queue.capacity - queue.count
        queue.prepend(jobs.prefix(room))
        return Array(jobs.dropFirst(room))
    }

    /// Counts jobs that a worker took as no longer running: they will not be run.
    mutating func discarded(_ count: Int) { runningCount -= count }

    mutating func connected(_ index: Int) {
        workers[index] = .ready
        failedAttempts[index] = 0
        readyCount += 1
        lastError = nil
        permanentFailure = nil
    }

    /// A connected worker found its connection gone; it connects again at once.
    mutating func lost(_ index: Int, _ error: StorageError, finished: Int, now: NIODeadline) {
        runningCount -= finished
        workers[index] = .connecting
        readyCount -= 1
        lastError = error
        if readyCount == 0 { outageEnd = now + TimeAmount(configuration.outageGrace) }
    }

    /// - Parameter random: 0 to 1.
    mutating func connectFailed(_ index: Int, _ error: StorageError, now: NIODeadline, random: Double) {
        let attempt = failedAttempts[index]
        failedAttempts[index] = attempt + 1
        lastError = error
        if error.isPermanentFailure { permanentFailure = error }
        let delay = TimeAmount(configuration.backoff.wait(after: attempt + 1, random: random))
        workers[index] = .backoff(attempt: attempt, until: now + delay)
    }

    /// Whether a worker in backoff may try again.
    mutating func retry(_ index: Int, now: NIODeadline) -> WorkerStep {
        guard phase == .running else { return .stop }
        guard case .backoff(_, let until) = workers[index] else { return .run }
        if now < until { return .waitUntil(until) }
        workers[index] = .connecting
        return .run
    }

    mutating func stopped(_ index: Int) {
        if workers[index] == .ready { readyCount -= 1 }
        workers[index] = .stopped
        if workers.allSatisfy({ $0 == .stopped }) { phase = .stopped }
    }

    /// No further calls are taken; those that wait are still answered where there is a connection.
    mutating func stop() {
        if phase == .running { phase = .stopping }
        if phase == .new { phase = .stopped }
    }

    enum SupervisorStep {
        case wait
        case waitUntil(NIODeadline)
        /// Jobs to be failed, as no worker will connect in time.
        case fail([Job], StorageError)
        case stop
    }

    /// What the supervisor does next: it fails the calls that no worker can serve, because each is busy connecting.
    mutating func supervise(now: NIODeadline) -> SupervisorStep {
        if phase == .stopped { return queue.isEmpty ? .stop : .fail(drain(), outageError) }
        guard readyCount == 0, !queue.isEmpty else {
            return .wait
        }
        if phase == .stopping || permanentFailure != nil || now >= outageEnd {
            return .fail(drain(), outageError)
        }
        return .waitUntil(outageEnd)
    }

    private mutating func drain() -> [Job] {
        var jobs: [Job] = []
        while let job = queue.popFirst() { jobs.append(job) }
        return jobs
    }

    private var outageError: StorageError {
        StorageError(.connectionLost, "not connected: \(lastError?.message ?? "still connecting")")
    }
}

/// Estimate of how long a call would wait in a pool's queue, for a gauge. Part of ``PoolState``.
struct WaitEstimate {
    /// Calls that a thread may run at once. A batch takes about as long as its commit, regardless of the calls in it.
    private let batchSizeMax: Int
    /// Time that a thread lately took for a batch, in nanoseconds; 0 until known.
    private var nanosecondsPerBatch: Int64 = 0

    init(batchSizeMax: Int = 1) {
        self.batchSizeMax = batchSizeMax
    }

    /// Expected wait of the next call, in nanoseconds.
    func wait(queued: Int, threads: Int) -> Int64 {
        nanosecondsPerBatch &* Int64(queued) / Int64(max(1, threads) * batchSizeMax)
    }

    /// Records how long a thread took for a batch of calls.
    mutating func ran(_ calls: Int, nanoseconds: Int64) {
        guard calls > 0 else { return }
        nanosecondsPerBatch =
            nanosecondsPerBatch == 0 ? nanoseconds : nanosecondsPerBatch + (nanoseconds - nanosecondsPerBatch) / 8
    }
}
