import CoreMetrics
import Synchronization

/// One series of a family. Recording is lock-free and may happen on any thread.
protocol MetricSeries: AnyObject, Sendable {
    func write(_ labels: Labels, to snapshot: inout MetricSnapshot)
}

/// A sum of integers and of other numbers, kept apart so that no integer is rounded.
final class CounterSeries: CounterHandler, FloatingPointCounterHandler, MetricSeries {
    private let whole = Atomic<Int64>(0)
    private let fractional = AtomicDouble()

    func increment(by amount: Int64) {
        whole.wrappingAdd(amount, ordering: .relaxed)
    }

    func increment(by amount: Double) {
        // A counter never falls; what is not above zero is a caller's slip.
        guard amount > 0, amount.isFinite else { return }
        fractional.add(amount)
    }

    func reset() {
        whole.store(0, ordering: .relaxed)
        fractional.value = 0
    }

    func write(_ labels: Labels, to snapshot: inout MetricSnapshot) {
        snapshot.sample(labels, Double(whole.load(ordering: .relaxed)) + fractional.value)
    }
}

/// A value that rises and falls; also the last value of a recorder that does not aggregate.
final class GaugeSeries: MeterHandler, RecorderHandler, MetricSeries {
    private let current = AtomicDouble()

    func set(_ value: Int64) { current.value = Double(value) }
    func set(_ value: Double) { current.value = value }
    func increment(by amount: Double) { current.add(amount) }
    func decrement(by amount: Double) { current.add(-amount) }
    func record(_ value: Int64) { current.value = Double(value) }
    func record(_ value: Double) { current.value = value }

    func write(_ labels: Labels, to snapshot: inout MetricSnapshot) {
        snapshot.sample(labels, current.value)
    }
}

/// A distribution: seconds for a timer, bare numbers for a recorder.
final class HistogramSeries: TimerHandler, RecorderHandler, MetricSeries {
    /// Bounds for timers, in seconds.
    static let timerBounds: [Double] = [
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    /// Bounds for recorders, which have no unit: a factor of four each.
    static let recorderBounds: [Double] = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576]

    private let bounds: [Double]
    private let counts: AtomicCounters
    private let sum = AtomicDouble()

    init(bounds: [Double]) {
        self.bounds = bounds
        counts = AtomicCounters(count: bounds.count + 1)
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        counts.add(1, at: bounds.firstIndex { value <= $0 } ?? bounds.count)
        sum.add(value)
    }

    func write(_ labels: Labels, to snapshot: inout MetricSnapshot) {
        let counts = (0..<counts.count).map { self.counts[$0] }
        snapshot.histogram(labels, bounds: bounds, counts: counts, sum: sum.value)
    }
}

/// A gauge that is asked when somebody looks.
final class CallbackSeries: MetricSeries {
    private let read: @Sendable () -> Double

    init(_ read: @escaping @Sendable () -> Double) {
        self.read = read
    }

    func write(_ labels: Labels, to snapshot: inout MetricSnapshot) {
        snapshot.sample(labels, read())
    }
}
