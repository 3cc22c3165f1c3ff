/// All metrics at one moment: what `/metrics` shows, and what is exported.
struct MetricSnapshot: Sendable {
    private(set) var families: [MetricFamily] = []

    /// Begins a family; the points that follow belong to it.
    mutating func family(_ name: String, _ kind: MetricFamily.Kind, help: String) {
        families.append(MetricFamily(name: name, kind: kind, help: help, points: []))
    }

    /// Adds a point to a family of counters or gauges.
    mutating func sample(_ labels: Labels, _ value: Double) {
        add(MetricFamily.Point(labels: labels, value: .number(value)))
    }

    /// Adds a point to a family of histograms.
    ///
    /// - Parameter counts: per bucket, not cumulative, with that above the last bound at the end.
    mutating func histogram(_ labels: Labels, bounds: [Double], counts: [UInt64], sum: Double) {
        add(MetricFamily.Point(labels: labels, value: .histogram(bounds: bounds, counts: counts, sum: sum)))
    }

    private mutating func add(_ point: MetricFamily.Point) {
        guard let last = families.indices.last else { return }
        families[last].points.append(point)
    }
}

/// The series of one name.
struct MetricFamily: Sendable {
    /// What a family counts.
    enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    /// What a series shows.
    enum Value: Sendable {
        case number(Double)
        /// Counts are per bucket, not cumulative, with that above the last bound at the end.
        case histogram(bounds: [Double], counts: [UInt64], sum: Double)
    }

    /// One series.
    struct Point: Sendable {
        let labels: Labels
        let value: Value
    }

    let name: String
    let kind: Kind
    /// Empty for a metric without a description.
    let help: String
    var points: [Point]
}
