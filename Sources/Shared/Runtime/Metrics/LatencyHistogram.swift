/// A distribution of times that many threads add to: two atomic additions each, no lock, no allocation.
final class LatencyHistogram: Sendable {
    /// Upper bounds of the buckets, in nanoseconds. Calls take 10 µs to seconds.
    static let boundsNanoseconds: [Int64] = [
        50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000,
        100_000_000, 250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000,
    ]
    static let boundsSeconds = boundsNanoseconds.map { Double($0) / 1e9 }

    /// One more than there are bounds.
    static let bucketCount = 18
    /// The buckets and the sum of nanoseconds, rounded up to whole cache lines of eight counters.
    private static let shardStride = (bucketCount + 1 + 7) / 8 * 8

    private let counters = AtomicCounters(count: ThreadShard.count * shardStride)

    func record(nanoseconds: Int64) {
        let base = ThreadShard.index * Self.shardStride
        counters.add(1, at: base + Self.bucket(nanoseconds))
        counters.add(UInt64(max(0, nanoseconds)), at: base + Self.bucketCount)
    }

    /// What was counted so far: per bucket, not cumulative, and the sum in seconds.
    func snapshot() -> (counts: [UInt64], seconds: Double) {
        var counts = [UInt64](repeating: 0, count: Self.bucketCount)
        var nanoseconds: UInt64 = 0
        for shard in 0..<ThreadShard.count {
            let base = shard * Self.shardStride
            for bucket in 0..<Self.bucketCount { counts[bucket] += counters[base + bucket] }
            nanoseconds &+= counters[base + Self.bucketCount]
        }
        return (counts, Double(nanoseconds) / 1e9)
    }

    /// Most calls end in the first buckets, which makes a walk from below the quickest search.
    @inline(__always)
    static func bucket(_ nanoseconds: Int64) -> Int {
        boundsNanoseconds.withUnsafeBufferPointer { bounds in
            var index = 0
            while index < bounds.count, nanoseconds > bounds[index] { index += 1 }
            return index
        }
    }
}
