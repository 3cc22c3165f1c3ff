import Logging
import NIOCore
import RPC

/// Threads that own a blocking connection each, and a bounded queue of calls for them.
///
/// Callers are `async` and never block: they wait in the queue, at most until their deadline or until their task is
/// cancelled. A lost connection is made again with growing, jittered pauses. Nothing runs before ``start()``.
///
/// It does not spread calls by connection, does not order calls that different threads take, and repeats none.
public final class ConnectionPool<Connection: PooledConnection>: Sendable {
    /// Overload is logged again after so long without it.
    private static var calmInterval: TimeAmount { .seconds(10) }

    let configuration: PoolConfiguration
    /// The configuration's, as the clock counts: each batch asks for it, and a `Duration` takes divisions to convert.
    let waitMax: TimeAmount?
    let logger: Logger
    let connect: @Sendable () throws -> Connection
    let monitor: Monitor<PoolGuarded>

    /// - Parameter connect: makes a connection; called on the pool's threads, and may block. It throws
    ///   ``StorageError`` of kind `.unusable` or `.accessDenied` where the store can't be used.
    public init(
        _ configuration: PoolConfiguration, logger: Logger, connect: @escaping @Sendable () throws -> Connection
    ) {
        self.configuration = configuration
        waitMax = configuration.waitMax.map { TimeAmount($0) }
        self.logger = logger
        self.connect = connect
        monitor = Monitor(PoolGuarded(configuration), conditions: PoolCondition.count)
    }

    /// Runs `body` on one of the pool's threads and answers what it answers.
    ///
    /// - Parameters:
    ///   - deadline: a call whose turn comes later is not run.
    ///   - body: may block. With batches, other calls share its transaction; see ``PooledConnection/runBatch(_:)``.
    /// - Throws: what `body` throws; ``StorageError`` of kind `.overloaded` at once when the queue is full and when the
    ///   call's turn comes after ``PoolConfiguration/waitMax``, and `.connectionLost` when there is no connection;
    ///   DEADLINE_EXCEEDED; `CancellationError` as soon as the task is cancelled. In the last two cases and after a
    ///   lost connection, whether `body` took effect is unknown.
    public func run<Value: Sendable>(
        deadline: Deadline, _ body: @escaping @Sendable (Connection) throws -> Value
    ) async throws -> Value {
        let call = makeCall(deadline, body)
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                if call.arm(continuation) { submit(call) }
            }
        } onCancel: {
            if call.abandon() { monitor.withLock { $0.state.recordAbandoned() } }
        }
    }

    /// Not inlined into ``run(deadline:_:)``: that frame lives as long as the call waits, and a copy of the configuration
    /// in it would cost each call one more block of memory.
    @inline(never)
    private func makeCall<Value: Sendable>(
        _ deadline: Deadline, _ body: @escaping @Sendable (Connection) throws -> Value
    ) -> QueuedCall<Connection, Value> {
        QueuedCall(deadline: deadline, trace: PoolCallTrace.make(configuration), body: body)
    }

    private func submit(_ call: any PoolJob) {
        let entry = PoolEntry(job: call, queuedAt: .now())
        let submission = monitor.withLock { $0.state.submit(entry, now: NIODeadline.now) }
        switch submission {
        case .queued(let wakeWorker, let wakeSupervisor):
            if wakeWorker { monitor.signal(PoolCondition.work) }
            if wakeSupervisor { monitor.signal(PoolCondition.supervisor) }
        case .rejected(let error):
            call.fail(error)
            if error.kind == .overloaded { logOverload(error) }
        }
    }

    /// Logs the overload once for as long as it goes on.
    func logOverload(_ error: StorageError) {
        let now = NIODeadline.now()
        let isFirst = monitor.withLock { guarded in
            defer { guarded.shedAt = now }
            return guarded.shedAt.map { now - $0 >= Self.calmInterval } ?? true
        }
        if isFirst {
            logger.warning(
                "overloaded: calls are shed",
                metadata: ["pool": "\(configuration.name)", "error": "\(error.message)"])
        }
    }

    /// Whether a connection is up.
    public var isReady: Bool { monitor.withLock { $0.state.isReady } }

    /// Why the last attempt to connect failed or the last connection was lost; `nil` while all is well.
    public var lastError: String? { monitor.withLock { $0.state.lastError }?.message }

    /// The error of a store that answers and can't be used, or denies access.
    public var permanentFailure: StorageError? { monitor.withLock { $0.state.permanentFailure } }

    /// What the pool is doing at this moment.
    public var gauges: PoolStatistics {
        monitor.withLock { guarded in
            PoolStatistics(
                name: configuration.name, threads: configuration.threads, connected: guarded.state.readyCount,
                queued: guarded.state.queuedCount, running: guarded.state.runningCount,
                queueCapacity: configuration.queueCapacity, shed: guarded.state.shedCount,
                expectedWait: .nanoseconds(guarded.state.expectedWait), waits: guarded.waits)
        }
    }

    /// Starts the threads; call it once.
    ///
    /// - Throws: ``StorageError`` when the system has no thread left; the pool is then of no use.
    public func start() throws {
        monitor.withLock { $0.state.start(now: .now()) }
        var threads: [PoolThread] = []
        for index in 0..<configuration.threads {
            threads.append(try PoolThread(name: "\(configuration.name)-\(index)") { self.work(index) })
        }
        let workers = threads
        try PoolThread(name: "\(configuration.name)-k") { self.supervise(workers) }.detach()
    }

    /// Answers the calls that wait, rejects new ones, closes the connections and joins the threads.
    ///
    /// A driver call that hangs holds it up until the driver gives up.
    public func shutdown() async {
        await withCheckedContinuation { continuation in
            let isJoined = monitor.withLock { guarded in
                let wasNew = guarded.state.phase == .new
                guarded.state.stop()
                if guarded.isJoined || wasNew { return true }
                guarded.shutdownWaiters.append(continuation)
                return false
            }
            for condition in 0..<PoolCondition.count { monitor.broadcast(condition) }
            if isJoined { continuation.resume() }
        }
    }
}

/// One queued call, behind a concrete type so that the state machine needs no existential of its own.
struct PoolEntry: PoolQueueable {
    let job: any PoolJob
    let queuedAt: NIODeadline
    var isAbandoned: Bool { job.isAbandoned }
}

/// What a pool's lock guards.
struct PoolGuarded {
    var state: PoolState<PoolEntry>
    /// Everyone who waits for the end of the shutdown.
    var shutdownWaiters: [CheckedContinuation<Void, Never>] = []
    var isJoined = false
    var waits = WaitCounts()
    /// When a call was shed last because too many waited.
    var shedAt: NIODeadline?

    init(_ configuration: PoolConfiguration) {
        state = PoolState(configuration)
    }
}

/// The conditions of a pool's monitor.
enum PoolCondition {
    /// Idle workers: there is a call.
    static let work = 0
    /// Workers that wait to connect again; only the shutdown wakes them early.
    static let retry = 1
    /// The supervisor: no worker is connected, and a call waits.
    static let supervisor = 2
    static let count = 3
}
