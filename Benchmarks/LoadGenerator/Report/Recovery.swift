/// How long a system needs to be itself again after more load than it carries.
struct Recovery: Codable {
    /// Requests of this share must be accepted again.
    static let acceptedShare = 0.99
    /// And their p99 be at most this many times that of the phase before the load.
    static let latencyFactor = 2.0
    /// A good stretch is so long, in tenths of a second; it counts from its first tenth.
    static let windowTenths = 10
    /// Or longer, for kinds that come seldom: until so many should have come.
    static let windowRequests = 3.0

    /// For one kind, or for all together (`nil`): a few log-ins that wait are lost among the many others.
    struct Part: Codable {
        var kind: Kind?
        var boundMilliseconds: Double
        /// From the end of the load to the begin of the first good stretch, to a tenth; `nil` when there was none.
        var seconds: Double?
    }

    /// Numbers of the phases from 1: before, the load, after.
    var before: Int
    var overload: Int
    var after: Int
    /// All together first.
    var parts: [Part]

    /// For each phase that has a slower one on both sides.
    static func find(_ result: RunResult) -> [Recovery] {
        let list = result.phases.list
        guard list.count > 2 else { return [] }
        let all = result.buckets
        return (1..<(list.count - 1)).compactMap { phase in
            guard list[phase].rate > list[phase - 1].rate, list[phase].rate > list[phase + 1].rate else { return nil }
            let tenths = result.tenths(result.times(phase: phase + 1))
            func part(_ kind: Kind?, _ before: Figures, _ buckets: [Bucket]) -> Part? {
                guard let p99 = before.latency.milliseconds(99) else { return nil }
                let bound = p99 * latencyFactor
                let tenth = firstGood(Array(buckets[tenths]), boundMilliseconds: bound)
                return Part(
                    kind: kind, boundMilliseconds: bound, seconds: tenth.map { Double($0) / Double(Bucket.perSecond) })
            }
            let kinds = Kind.allCases.map {
                part($0, result.figures[phase - 1][$0.index], result.kindBuckets[$0.index])
            }
            let parts = ([part(nil, result.figures(phase: phase - 1), all)] + kinds).compactMap { $0 }
            return Recovery(before: phase, overload: phase + 1, after: phase + 2, parts: parts)
        }
    }

    /// Index of the first bucket that begins a good stretch.
    static func firstGood(_ buckets: [Bucket], boundMilliseconds: Double) -> Int? {
        let offered = buckets.reduce(0) { $0 + $1.offered }
        guard offered > 0 else { return nil }
        let needed = (windowRequests * Double(buckets.count) / Double(offered)).rounded(.up)
        let length = max(windowTenths, Int(needed))
        guard buckets.count >= length else { return nil }
        return (0...(buckets.count - length)).first { start in
            let window = Bucket.sum(buckets[start..<(start + length)])
            guard window.offered > 0, let p99 = window.milliseconds(99) else { return false }
            return Double(window.accepted) >= acceptedShare * Double(window.offered) && p99[0] <= boundMilliseconds
        }
    }
}
