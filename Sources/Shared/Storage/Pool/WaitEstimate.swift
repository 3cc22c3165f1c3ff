/// Estimates how long a call would wait in a pool's queue, for a gauge. Part of ``PoolState``.
struct WaitEstimate {
    /// Calls that a thread may run at once. A batch takes about as long as its commit, however many share that.
    private let batchSizeMax: Int
    /// Nanoseconds that a thread has lately taken for a batch; 0 until known.
    private var nanosecondsPerBatch: Int64 = 0

    init(batchSizeMax: Int = 1) {
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
}
