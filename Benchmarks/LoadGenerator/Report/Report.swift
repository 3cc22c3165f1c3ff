/// What a run says, for machines. Times in milliseconds where the name ends so, rates in requests a second.
struct Report: Codable {
    /// Of this form; a change that readers would trip over counts it up.
    static let formatVersion = 1

    var format = formatVersion
    var began: String
    var machine: String
    var url: String
    var mix: String
    var arrivals: Arrivals
    var seed: UInt64
    var timeoutSeconds: Double
    var connectionsMax: Int
    var isInterrupted: Bool
    var phases: [PhaseReport]
    var total: PhaseReport
    var recovery: [Recovery]
    var generator: GeneratorReport
    var processes: [ProcessReport]
    var seconds: [SecondReport]
    /// By tenths of a second of the plan.
    var tenths: TenthsReport
    var capacity: CapacityReport?
}

/// One phase, or all of them.
struct PhaseReport: Codable {
    var name: String
    var from: Double
    var seconds: Double
    var all: KindReport
    var kinds: [String: KindReport]

    init(name: String, times: Range<Double>, kinds figures: [Figures]) {
        self.name = name
        from = times.lowerBound
        seconds = times.upperBound - times.lowerBound
        all = KindReport(Figures.sum(figures), seconds: seconds)
        kinds = [:]
        for kind in Kind.allCases where figures[kind.index].offered > 0 {
            kinds[kind.rawValue] = KindReport(figures[kind.index], seconds: seconds)
        }
    }
}

/// What became of the requests of one kind, or of all.
struct KindReport: Codable {
    var offered: Int
    var offeredRate: Double
    var accepted: Int
    /// Accepted within the time-out, a second.
    var goodput: Double
    var refused: Int
    var refusedWithRetryAfter: Int
    var failed: Int
    var statuses: [String: Int]
    var lost: Int
    var timedOut: Int
    var notSent: Int
    /// Of the accepted, from the planned moment.
    var latency: LatencyReport?
    /// Of the accepted, from the sending.
    var service: LatencyReport?
    /// Of the refused, from the planned moment.
    var refusal: LatencyReport?

    init(_ figures: Figures, seconds: Double) {
        offered = figures.offered
        offeredRate = seconds > 0 ? Double(figures.offered) / seconds : 0
        accepted = figures.accepted
        goodput = seconds > 0 ? Double(figures.accepted) / seconds : 0
        refused = figures.refused
        refusedWithRetryAfter = figures.refusedWithRetryAfter
        failed = figures.failed
        statuses = Dictionary(uniqueKeysWithValues: figures.statuses.map { ("\($0)", $1) })
        lost = figures.lost
        timedOut = figures.timedOut
        notSent = figures.notSent
        latency = LatencyReport(figures.latency)
        service = LatencyReport(figures.service)
        refusal = LatencyReport(figures.refusal)
    }
}

struct LatencyReport: Codable {
    var p50Milliseconds: Double
    var p90Milliseconds: Double
    var p99Milliseconds: Double
    var p999Milliseconds: Double
    var maxMilliseconds: Double
    var meanMilliseconds: Double
    /// Pairs of percentile and milliseconds, for a curve.
    var curve: [[Double]]

    init?(_ latencies: Latencies) {
        guard latencies.totalCount > 0 else { return nil }
        func at(_ percentile: Double) -> Double { Double(latencies.microseconds(percentile)) / 1_000 }
        p50Milliseconds = at(50)
        p90Milliseconds = at(90)
        p99Milliseconds = at(99)
        p999Milliseconds = at(99.9)
        maxMilliseconds = Double(latencies.max) / 1_000
        meanMilliseconds = latencies.mean / 1_000
        curve = Self.percentiles(latencies.totalCount).map { [$0, at($0)] }
    }

    /// Closer and closer to 100, as far as so many values say something.
    private static func percentiles(_ count: UInt64) -> [Double] {
        var list = [0.0]
        var rest = 1.0
        while rest * Double(count) >= 1 {
            for part in [1.0, 0.84, 0.71, 0.6] where rest * part * Double(count) >= 1 {
                list.append(100 * (1 - rest * part * 0.999_999))
            }
            rest /= 2
        }
        return list
    }
}

/// The load generator about itself.
struct GeneratorReport: Codable {
    /// 1 is one processor.
    var processorShare: Double
    /// How late it came to each request, without the wait for a connection.
    var lagP50Milliseconds: Double?
    var lagP99Milliseconds: Double?
    var lagMaxMilliseconds: Double?
    var connectionsMost: Int
    var connectionsOpened: Int
    var warnings: [String]

    /// Past these the generator itself may be what is measured.
    static let lagMaxP99Milliseconds = 10.0
    static let processorShareMax = 0.8

    init(_ result: RunResult) {
        processorShare = result.processorShare
        lagP50Milliseconds = result.lag.milliseconds(50)
        lagP99Milliseconds = result.lag.milliseconds(99)
        lagMaxMilliseconds = result.lag.milliseconds(100)
        connectionsMost = result.connectionsMost
        connectionsOpened = result.connectionsOpened
        warnings = []
        if let lag = lagP99Milliseconds, lag > Self.lagMaxP99Milliseconds {
            warnings.append(
                "the turn of 1 % of the requests came \(Text.milliseconds(lag)) ms late or more: "
                    + "the load generator had no processor"
            )
        }
        if processorShare > Self.processorShareMax {
            warnings.append(
                "the load generator used \(Text.percent(processorShare)) of the one processor that it can use")
        }
        let notSent = result.total.notSent
        if notSent > 0 {
            warnings.append("\(notSent) requests were never sent: all connections were busy for the whole time-out")
        }
    }
}

/// A watched process over the run.
struct ProcessReport: Codable {
    var name: String
    var pid: Int
    /// For each phase: resident memory at its begin and end, how it grew, and the share of one processor.
    var phases: [ProcessPhase]
    var samples: [ProcessSample]

    struct ProcessPhase: Codable {
        var beginKiB: Int
        var endKiB: Int
        var kibPerMinute: Double?
        var processorShare: Double
    }

    init(_ series: ProcessSeries, _ result: RunResult) {
        name = series.name
        pid = series.pid
        samples = series.samples
        phases = result.phases.list.indices.compactMap { phase in
            let samples = series.samples(in: result.times(phase: phase))
            guard let first = samples.first, let last = samples.last else { return nil }
            let seconds = last.second - first.second
            return ProcessPhase(
                beginKiB: first.residentKiB, endKiB: last.residentKiB, kibPerMinute: ProcessSeries.slope(samples),
                processorShare: seconds > 0 ? (last.processorSeconds - first.processorSeconds) / seconds : 0)
        }
    }
}

/// What became of the requests planned for one second.
struct SecondReport: Codable {
    var second: Int
    var offered: Int
    var accepted: Int
    var refused: Int
    var failed: Int
    var p50Milliseconds: Double?
    var p99Milliseconds: Double?

    init(second: Int, _ bucket: Bucket) {
        self.second = second
        offered = bucket.offered
        accepted = bucket.accepted
        refused = bucket.refused
        failed = bucket.failed
        let times = bucket.milliseconds(50, 99)
        p50Milliseconds = times?[0]
        p99Milliseconds = times?[1]
    }
}

/// The same by tenths of a second, in columns.
struct TenthsReport: Codable {
    var offered: [Int]
    var accepted: [Int]
    /// -1 where none was accepted.
    var maxMilliseconds: [Double]

    init(_ buckets: [Bucket]) {
        offered = buckets.map(\.offered)
        accepted = buckets.map(\.accepted)
        maxMilliseconds = buckets.map { $0.latencies.max().map { Double($0) / 1_000 } ?? -1 }
    }
}
