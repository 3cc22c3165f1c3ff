import NIOCore

/// Counts what becomes of each request. Lives on the loop that sends them.
final class Recorder {
    let began: Int64
    private(set) var figures: [[Figures]]
    /// By ``Kind/index``, then by tenths of a second.
    private(set) var buckets: [[Bucket]]
    private(set) var lag = Latencies()
    private var second = Progress()

    /// - Parameter began: nanoseconds of the steady clock when the plan begins.
    init(phases: Phases, began: Int64) {
        self.began = began
        figures = phases.list.map { _ in [Figures](repeating: Figures(), count: Kind.allCases.count) }
        let count = Int(phases.seconds * Double(Bucket.perSecond)) + 1
        buckets = Kind.allCases.map { _ in [Bucket](repeating: Bucket(), count: count) }
    }

    private func bucket(_ planned: Int64) -> Int {
        min(max(Int((planned - began) / Bucket.nanoseconds), 0), buckets[0].count - 1)
    }

    func offered(_ call: Call) {
        figures[call.phase][call.kind.index].offered += 1
        buckets[call.kind.index][bucket(call.planned)].offered += 1
        second.offered += 1
    }

    /// - Parameter nanoseconds: how long after its moment a request's turn came, whether a connection was free or not.
    func cameLate(_ nanoseconds: Int64) {
        lag.record(nanoseconds: nanoseconds)
    }

    func ended(_ call: Call, _ ending: Ending, _ now: Int64) {
        let outcome = Outcome(ending)
        let latency = now - call.planned
        let service = call.sent.map { now - $0 }
        figures[call.phase][call.kind.index].record(outcome, latency: latency, service: service)
        buckets[call.kind.index][bucket(call.planned)].record(outcome, latency: latency)
        second.record(outcome, latency: latency)
    }

    /// What happened since it was asked last.
    func takeProgress() -> Progress {
        defer { second = Progress() }
        return second
    }
}

/// What happened in a second, for the line that is shown while the load runs.
struct Progress: Sendable {
    var offered = 0
    var ended = Bucket()
    /// At its end.
    var underWay = 0
    var connections = 0
    var phase = 0

    mutating func record(_ outcome: Outcome, latency: Int64) {
        ended.record(outcome, latency: latency)
    }

    func line(second: Int, phases: Phases) -> String {
        let times = ended.milliseconds(50, 99)
        let name = phases.list.count > 1 ? " phase \(phase + 1)/\(phases.list.count)" : ""
        return Text.right("\(second)", 4) + " s\(name)  offered \(Text.right("\(offered)", 5))"
            + "  accepted \(Text.right("\(ended.accepted)", 5))  refused \(Text.right("\(ended.refused)", 5))"
            + "  failed \(Text.right("\(ended.failed)", 4))  p50 \(Text.right(Text.milliseconds(times?[0]), 5)) ms"
            + "  p99 \(Text.right(Text.milliseconds(times?[1]), 5)) ms  under way \(Text.right("\(underWay)", 4))"
            + "  connections \(connections)"
    }
}
