/// What became of the requests that were planned for one tenth of a second.
struct Bucket: Sendable {
    static let nanoseconds: Int64 = 100_000_000
    static let perSecond = 10

    var offered = 0
    var accepted = 0
    var refused = 0
    var failed = 0
    /// Of the accepted, from the planned moment, in microseconds.
    var latencies: [UInt32] = []

    mutating func record(_ outcome: Outcome, latency: Int64) {
        switch outcome {
        case .accepted:
            accepted += 1
            latencies.append(UInt32(min(max(latency / 1_000, 0), Latencies.microsecondsMax)))
        case .refused: refused += 1
        default: failed += 1
        }
    }

    mutating func add(_ other: Bucket) {
        offered += other.offered
        accepted += other.accepted
        refused += other.refused
        failed += other.failed
        latencies += other.latencies
    }

    static func sum(_ buckets: some Sequence<Bucket>) -> Bucket {
        buckets.reduce(into: Bucket()) { $0.add($1) }
    }

    /// Percentiles of the accepted in milliseconds, each from 0 to 100; `nil` when none was accepted.
    func milliseconds(_ percentiles: Double...) -> [Double]? {
        guard !latencies.isEmpty else { return nil }
        let sorted = latencies.sorted()
        return percentiles.map { percentile in
            let rank = (Double(sorted.count) * percentile / 100).rounded(.up)
            return Double(sorted[min(max(Int(rank) - 1, 0), sorted.count - 1)]) / 1_000
        }
    }
}
