import NIOCore
import RPC

/// Counts the calls of one method: three atomic additions a call, no lock, no allocation.
///
/// Each event-loop thread mostly adds in a shard of its own, so that threads don't pass cache lines around.
public final class MethodRecorder: CallObserver {
    private static let shardCount = ThreadShard.count
    private static let bucketCount = LatencyHistogram.bucketCount
    private static let codeCount = 17
    /// Per code: its buckets, then the sum of nanoseconds.
    private static let codeStride = bucketCount + 1
    /// Calls begun, then the codes; rounded up to whole cache lines of eight counters.
    private static let shardStride = (1 + codeCount * codeStride + 7) / 8 * 8

    private let counters = AtomicCounters(count: shardCount * shardStride)

    public func callBegan() {
        counters.add(1, at: Self.shardStart)
    }

    public func callEnded(
        _ code: Status.Code, metadata: Metadata, peer: String, began: NIODeadline, ended: NIODeadline
    ) {
        callEnded(code, nanoseconds: (ended - began).nanoseconds)
    }

    public func callEnded(_ code: Status.Code, nanoseconds: Int64) {
        let base = Self.shardStart + 1 + code.rawValue * Self.codeStride
        counters.add(1, at: base + LatencyHistogram.bucket(nanoseconds))
        counters.add(UInt64(max(0, nanoseconds)), at: base + Self.bucketCount)
    }

    /// The first counter of this thread's shard.
    @inline(__always)
    private static var shardStart: Int { ThreadShard.index * shardStride }
}

extension MethodRecorder {
    /// What was counted for one status code.
    struct Outcome {
        var code: Status.Code
        /// Per bucket, not cumulative.
        var counts: [UInt64]
        var seconds: Double
    }

    /// What was counted so far. OK is always there, other codes once they occurred.
    func snapshot() -> (active: UInt64, outcomes: [Outcome]) {
        var ended: UInt64 = 0
        let outcomes = Status.Code.allCases.compactMap { code -> Outcome? in
            var counts = [UInt64](repeating: 0, count: Self.bucketCount)
            var nanoseconds: UInt64 = 0
            for shard in 0..<Self.shardCount {
                let base = shard * Self.shardStride + 1 + code.rawValue * Self.codeStride
                for bucket in 0..<Self.bucketCount { counts[bucket] += counters[base + bucket] }
                nanoseconds &+= counters[base + Self.bucketCount]
            }
            let total = counts.reduce(0, +)
            ended += total
            guard code == .ok || total > 0 else { return nil }
            return Outcome(code: code, counts: counts, seconds: Double(nanoseconds) / 1e9)
        }
        // Read last, so that a call that begins and ends meanwhile does not make the difference negative.
        let begun = (0..<Self.shardCount).reduce(UInt64(0)) { $0 + counters[$1 * Self.shardStride] }
        return (begun > ended ? begun - ended : 0, outcomes)
    }
}
