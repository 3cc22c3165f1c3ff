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
