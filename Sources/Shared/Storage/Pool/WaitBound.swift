import NIOCore

/// How long calls may wait for a thread of a pool, by how long calls have taken so far.
public struct PoolWaits: Sendable, Equatable {
    /// The longest wait, which only a burst may lead to.
    public var burst: Duration
    /// Once calls have been waiting for all of `patience`, no call is taken that would wait for longer.
    public var sustained: Duration
    public var patience: Duration
    /// Calls for each thread that may always wait.
    public var callsPerThread: Int

    public init(burst: Duration, sustained: Duration, patience: Duration, callsPerThread: Int) {
        self.burst = burst
        self.sustained = sustained
        self.patience = patience
        self.callsPerThread = callsPerThread
    }

    /// For stores.
    public static let ofStores = PoolWaits(
        burst: .milliseconds(1_000), sustained: .milliseconds(50), patience: .milliseconds(500), callsPerThread: 4)
}

/// Estimates how long a call would wait in a pool's queue, and decides whether it may. Part of ``PoolState``.
struct WaitBound {
    enum Refusal: Equatable {
        /// It would wait for too long.
        case tooLong
        /// Its deadline would pass before its turn.
        case tooLate
    }

    /// Waits below this are not looked at more closely.
    private static let waitIgnored: Int64 = 1_000_000

    private let waits: PoolWaits?
    /// Calls that a thread may run at once. A batch takes about as long as its commit, however many share that.
    private let batchSizeMax: Int
    /// Nanoseconds that a thread has lately taken for a batch; 0 until known.
    private var nanosecondsPerBatch: Int64 = 0
    /// When calls began to wait; `nil` when none had to since.
    private var waitingSince: NIODeadline?

    init(_ waits: PoolWaits?, batchSizeMax: Int = 1) {
        self.waits = waits
        self.batchSizeMax = batchSizeMax
    }

    /// Nanoseconds that the next call would wait.
    func wait(queued: Int, threads: Int) -> Int64 {
        nanosecondsPerBatch &* Int64(queued) / Int64(max(1, threads) * batchSizeMax)
    }

    /// A thread has run a batch of calls in so many nanoseconds.
    mutating func ran(_ calls: Int, nanoseconds: Int64) {
        guard calls > 0 else { return }
        nanosecondsPerBatch =
            nanosecondsPerBatch == 0 ? nanoseconds : nanosecondsPerBatch + (nanoseconds - nanosecondsPerBatch) / 8
    }

    mutating func queueWasEmpty() {
        waitingSince = nil
    }

    /// - Parameter now: asked for only where calls wait, for reading the clock costs.
    mutating func refusal(
        queued: Int, threads: Int, deadline: NIODeadline, now: () -> NIODeadline
    ) -> Refusal? {
        guard let waits else { return nil }
        let wait = wait(queued: queued, threads: threads)
        guard wait > Self.waitIgnored else {
            waitingSince = nil
            return nil
        }
        let now = now()
        let since = waitingSince ?? now
        waitingSince = since
        if deadline != .distantFuture, now + .nanoseconds(wait + nanosecondsPerBatch) > deadline { return .tooLate }
        guard queued >= waits.callsPerThread * threads else { return nil }
        if wait > TimeAmount(waits.burst).nanoseconds { return .tooLong }
        if wait > TimeAmount(waits.sustained).nanoseconds, now - since >= TimeAmount(waits.patience) { return .tooLong }
        return nil
    }
}
