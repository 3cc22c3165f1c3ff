/// How long a system needs to be itself again after more load than it carries.
struct Recovery: Codable {
    /// Requests of this share must be accepted again.
    static let acceptedShare = 0.99
    /// And their p99 be at most this many times that of the phase before the load.
    static let latencyFactor = 2.0
    /// A good stretch is so long, in tenths of a second; it counts from its first tenth.
    static let windowTenths = 10

    /// Numbers of the phases from 1: before, the load, after.
    var before: Int
    var overload: Int
    var after: Int
    var boundMilliseconds: Double
    /// From the end of the load to the begin of the first good second, to a tenth; `nil` when there was none.
    var seconds: Double?

    /// For each phase that has a slower one on both sides.
    static func find(_ result: RunResult) -> [Recovery] {
        let list = result.phases.list
        guard list.count > 2 else { return [] }
        return (1..<(list.count - 1)).compactMap { phase in
            guard list[phase].rate > list[phase - 1].rate, list[phase].rate > list[phase + 1].rate,
                let p99 = result.figures(phase: phase - 1).latency.milliseconds(99)
            else { return nil }
            let bound = p99 * latencyFactor
            let buckets = Array(result.buckets(result.times(phase: phase + 1)))
            let tenth = firstGood(buckets, boundMilliseconds: bound)
            return Recovery(
                before: phase, overload: phase + 1, after: phase + 2, boundMilliseconds: bound,
                seconds: tenth.map { Double($0) / Double(Bucket.perSecond) })
        }
    }

    /// Index of the first bucket that begins a good stretch.
    static func firstGood(_ buckets: [Bucket], boundMilliseconds: Double) -> Int? {
        guard buckets.count >= windowTenths else { return nil }
        return (0...(buckets.count - windowTenths)).first { start in
            let window = Bucket.sum(buckets[start..<(start + windowTenths)])
            guard window.offered > 0, let p99 = window.milliseconds(99) else { return false }
            return Double(window.accepted) >= acceptedShare * Double(window.offered) && p99[0] <= boundMilliseconds
        }
    }
}
