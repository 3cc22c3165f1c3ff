/// A budget of failures for each key, refilled at a steady rate, in a fixed amount of memory.
struct FailureBudget: Sendable {
    /// Failures that the budget still counts, at a point in time.
    private struct Level {
        var failures: Double
        var at: ContinuousClock.Instant
    }

    /// Failures that stop counting per second.
    private let rate: Double
    private var levels: BoundedTable<Level>

    init(rate: Double, capacity: Int) {
        self.rate = rate
        levels = BoundedTable(capacity: capacity)
    }

    func failures(of key: UInt64, now: ContinuousClock.Instant) -> Double {
        guard let known = levels.record(of: key, now: now) else { return 0 }
        return max(0, known.failures - (now - known.at) / .seconds(1) * rate)
    }

    mutating func add(_ count: Double, to key: UInt64, now: ContinuousClock.Instant) {
        let failures = max(0, failures(of: key, now: now) + count)
        guard failures > 0 else { return levels.remove(key) }
        // A key without failures needs no record.
        levels.set(Level(failures: failures, at: now), of: key, evictAt: now + .seconds(failures / rate + 1))
    }
}
