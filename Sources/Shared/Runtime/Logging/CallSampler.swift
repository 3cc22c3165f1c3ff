import NIOCore
import Synchronization

/// Decides which of the calls of one level get a line: in each second the first few, and of those beyond one in many.
///
/// Lock-free; beyond the first few, threads mostly count apart from each other.
final class CallSampler: Sendable {
    /// Of the calls beyond the bound, one in so many is written.
    static let oneInBeyond: UInt64 = 1_000

    /// Calls of a second that are all written.
    let perSecondMax: UInt64
    /// The second in the upper half, the calls admitted in it in the lower.
    private let window = Atomic<UInt64>(0)
    /// Calls beyond the bound: one counter for each shard, on a cache line of its own.
    private let beyond = AtomicCounters(count: ThreadShard.count * countersPerLine)
    private let admittedBeyond = Atomic<UInt64>(0)

    private static let countersPerLine = AtomicCounters.cacheLineBytes / MemoryLayout<UInt64>.stride

    init(perSecondMax: UInt64) {
        self.perSecondMax = perSecondMax
    }

    func admits(_ now: NIODeadline) -> Bool {
        let second = now.uptimeNanoseconds / 1_000_000_000 & 0xffff_ffff
        var old = window.load(ordering: .relaxed)
        while true {
            // A thread that read the clock earlier and comes later counts in the new second.
            let isNew = old >> 32 < second
            let count = isNew ? 0 : old & 0xffff_ffff
            guard count < perSecondMax else { break }
            let new = (isNew ? second : old >> 32) << 32 | (count + 1)
            let (exchanged, current) = window.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return true }
            old = current
        }
        guard beyond.adding(1, at: ThreadShard.index * Self.countersPerLine) % Self.oneInBeyond == 0 else {
            return false
        }
        admittedBeyond.wrappingAdd(1, ordering: .relaxed)
        return true
    }

    /// Calls that were not admitted.
    var leftOut: UInt64 {
        let admitted = admittedBeyond.load(ordering: .relaxed)
        let all = (0..<ThreadShard.count).reduce(UInt64(0)) { $0 + beyond[$1 * Self.countersPerLine] }
        return all > admitted ? all - admitted : 0
    }
}
