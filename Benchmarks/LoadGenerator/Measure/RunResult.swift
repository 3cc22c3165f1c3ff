/// What one run of a schedule came to.
struct RunResult: Sendable {
    var phases: Phases
    /// By phase, then by ``Kind/index``.
    var figures: [[Figures]]
    /// By ``Kind/index``, then one for each tenth of a second of the plan.
    var kindBuckets: [[Bucket]]
    /// How long after its moment each request's turn came, without waits for connections: the generator's own fault.
    var lag: Latencies
    /// From the first planned moment to the last answer.
    var seconds: Double
    /// Of the plan; less than its length when it was interrupted.
    var plannedSeconds: Double
    /// Of this process while it ran, 1 being one processor.
    var processorShare: Double
    var connectionsMost: Int
    var connectionsOpened: Int
    var isInterrupted = false

    func figures(phase: Int) -> Figures { Figures.sum(figures[phase]) }
    func figures(kind: Kind) -> Figures { Figures.sum(figures.map { $0[kind.index] }) }
    var total: Figures { Figures.sum(figures.joined()) }

    /// When a phase begins and ends, in seconds of the plan.
    func times(phase: Int) -> Range<Double> {
        let began = phases.list[..<phase].reduce(0) { $0 + $1.span.seconds }
        let ended = began + phases.list[phase].span.seconds
        return min(began, plannedSeconds)..<min(ended, plannedSeconds)
    }

    /// One for each tenth of a second of the plan, of all kinds.
    var buckets: [Bucket] {
        kindBuckets[0].indices.map { tenth in Bucket.sum(kindBuckets.lazy.map { $0[tenth] }) }
    }

    /// The tenths of these seconds of the plan, whole ones only.
    func tenths(_ seconds: Range<Double>) -> Range<Int> {
        let lower = Int((seconds.lowerBound * Double(Bucket.perSecond)).rounded(.up))
        let upper = Int((seconds.upperBound * Double(Bucket.perSecond)).rounded(.down))
        let end = min(max(lower, upper), kindBuckets[0].count)
        return min(lower, end)..<end
    }
}
