import Glibc

/// How values become places along one side of a chart.
struct Axis {
    enum Scale { case linear, logarithmic }

    var label: String
    var scale = Scale.linear
    var lower: Double
    var upper: Double
    var ticks: [(value: Double, text: String)]

    /// 0 at ``lower``, 1 at ``upper``; what lies beyond is put to the end.
    func share(_ value: Double) -> Double {
        let share: Double
        switch scale {
        case .linear: share = (value - lower) / (upper - lower)
        case .logarithmic: share = log(max(value, lower) / lower) / log(upper / lower)
        }
        return min(max(share, 0), 1)
    }

    /// From 0 to somewhat above `most`, with round numbers.
    static func linear(_ label: String, most: Double, ticks count: Double = 5) -> Axis {
        let step = roundStep(max(most, 1e-9) / count)
        let upper = max((most / step).rounded(.up), 1) * step
        let ticks = (0...Int((upper / step).rounded())).map { index in
            (value: Double(index) * step, text: Text.number(Double(index) * step, step < 0.1 ? 2 : step < 1 ? 1 : 0))
        }
        return Axis(label: label, lower: 0, upper: upper, ticks: ticks)
    }

    /// 1, 2 or 5 times a power of ten, not below `least`.
    private static func roundStep(_ least: Double) -> Double {
        let power = pow(10, floor(log10(least)))
        return (([1, 2, 5].first { $0 * power >= least * 0.999 }) ?? 10) * power
    }

    /// Time from the begin of the run, in seconds or minutes.
    static func time(_ seconds: Double) -> Axis {
        let steps = [1.0, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 3_600]
        let step = steps.first { seconds / $0 <= 12 } ?? 7_200
        let ticks = stride(from: 0, through: seconds, by: step).map { second in
            (value: second, text: step < 60 ? Text.number(second, 0) : Text.number(second / 60, 1))
        }
        return Axis(label: step < 60 ? "time (s)" : "time (min)", lower: 0, upper: max(seconds, 1), ticks: ticks)
    }

    /// Around all of `values`, with ticks at powers of ten, and at 2 and 5 of them where there is room.
    static func logarithmic(_ label: String, _ values: [Double]) -> Axis {
        let positive = values.filter { $0 > 0 }
        let least = max(positive.min() ?? 1, 0.01)
        let most = max(positive.max() ?? 10, least * 2)
        var ticks: [(value: Double, text: String)] = []
        let exponents = Int(floor(log10(least)))...Int(ceil(log10(most)))
        // Over many powers of ten the places between them would stand too close.
        let factors = exponents.count > 5 ? [1.0] : [1.0, 2, 5]
        for exponent in exponents {
            for factor in factors {
                let value = factor * pow(10, Double(exponent))
                ticks.append((value, Text.number(value, value < 0.1 ? 2 : value < 1 ? 1 : 0)))
            }
        }
        let lower = ticks.last { $0.value <= least }?.value ?? least
        let upper = ticks.first { $0.value >= most }?.value ?? most
        let shown = ticks.filter { $0.value >= lower && $0.value <= upper }
        return Axis(label: label, scale: .logarithmic, lower: lower, upper: upper, ticks: shown)
    }

    /// Percentiles, each nine as wide as the one before. Its values are `1 / (1 - share)`.
    static func percentiles(most: Double) -> Axis {
        let named = [
            (1.0, "0 %"), (2, "50 %"), (10, "90 %"), (100, "99 %"), (1e3, "99.9 %"), (1e4, "99.99 %"),
            (1e5, "99.999 %"), (1e6, "99.9999 %"), (1e7, "99.99999 %"),
        ]
        let upper = named.first { $0.0 >= most && $0.0 >= 100 }?.0 ?? 1e7
        return Axis(
            label: "percentile", scale: .logarithmic, lower: 1, upper: upper,
            ticks: named.filter { $0.0 <= upper }.map { (value: $0.0, text: $0.1) })
    }
}
