extension Report {
    private static let header = 64.0
    private static let gap = 14.0

    /// All charts, one below the other.
    var plot: String {
        var svg = SVG()
        let charts = [rates, times, curves, memory].compactMap { $0 }
        svg.text("Load on \(url)", 24, 28, "heading")
        svg.text("\(began), \(machine)", 24, 46, "small")
        svg.text(
            "mix \(mix), \(arrivals.rawValue) arrivals, time-out \(Text.number(timeoutSeconds)) s", 24, 61, "small")
        var offset = Self.header + Self.gap
        for chart in charts {
            chart.draw(&svg, offset: offset)
            offset += Chart.height + Self.gap
        }
        return svg.document(width: Chart.width, height: offset, title: "Rates and latencies of a load on \(url)")
    }

    private var length: Double { total.seconds }

    private var bands: [Chart.Band] {
        guard phases.count > 1 else { return [] }
        return phases.map { phase in
            Chart.Band(
                range: phase.from..<(phase.from + phase.seconds),
                name: "\(phase.name): \(Text.number(phase.all.offeredRate, 0))/s")
        }
    }

    /// Only whole seconds: part of one would look like a fall.
    private var wholeSeconds: [SecondReport] {
        let whole = seconds.filter { Double($0.second + 1) <= length + 0.05 }
        return whole.isEmpty ? seconds : whole
    }

    private var rates: Chart? {
        func line(_ name: String, _ color: Int, _ value: (SecondReport) -> Int) -> Chart.Line {
            Chart.Line(
                name: name, color: color,
                points: wholeSeconds.map { (x: Double($0.second) + 0.5, y: Double(value($0))) })
        }
        var lines = [line("offered", 0) { $0.offered }, line("accepted in time", 1) { $0.accepted }]
        if total.all.refused > 0 { lines.append(line("refused (429)", 2) { $0.refused }) }
        if total.all.failed > 0 { lines.append(line("failed", 3) { $0.failed }) }
        let most = lines.flatMap(\.points).map(\.y).max() ?? 1
        return Chart(
            title: "Requests", x: .time(length), y: .linear("requests a second", most: most), lines: lines, bands: bands
        )
    }

    private var times: Chart? {
        func line(_ name: String, _ color: Int, _ value: (SecondReport) -> Double?) -> Chart.Line {
            let points = wholeSeconds.compactMap { second in
                value(second).map { (x: Double(second.second) + 0.5, y: $0) }
            }
            return Chart.Line(name: name, color: color, points: points)
        }
        let lines = [line("p50", 4) { $0.p50Milliseconds }, line("p99", 1) { $0.p99Milliseconds }]
        let values = lines.flatMap(\.points).map(\.y)
        guard !values.isEmpty else { return nil }
        return Chart(
            title: "Latency of the accepted", x: .time(length), y: .logarithmic("ms, from the planned moment", values),
            lines: lines, bands: bands)
    }

    private var curves: Chart? {
        func line(_ name: String, _ color: Int, _ latency: LatencyReport?) -> Chart.Line? {
            guard let latency else { return nil }
            let points = latency.curve.map { (x: 1 / max(1 - $0[0] / 100, 1e-9), y: $0[1]) }
            return Chart.Line(name: name, color: color, points: points)
        }
        let colors = [4, 1, 5, 2, 3]
        var lines: [Chart.Line?]
        if phases.count > 1, phases.count <= colors.count {
            lines = zip(phases, colors).map { line($0.name, $1, $0.all.latency) }
            // Of the phase that was loaded most: how much of its latency was waiting to be sent.
            let busiest = phases.max { $0.all.offeredRate < $1.all.offeredRate }
            lines.append(line("\(busiest?.name ?? "") from the sending", 0, busiest?.all.service))
        } else {
            lines = [
                line("from the planned moment", 1, total.all.latency), line("from the sending", 0, total.all.service),
            ]
        }
        let drawn = lines.compactMap { $0 }
        let points = drawn.flatMap(\.points)
        guard !points.isEmpty else { return nil }
        return Chart(
            title: "Latency by percentile", x: .percentiles(most: points.map(\.x).max() ?? 100),
            y: .logarithmic("ms", points.map(\.y)), lines: drawn)
    }

    private var memory: Chart? {
        let shown = processes.filter { !$0.samples.isEmpty }
        guard !shown.isEmpty else { return nil }
        let lines = shown.prefix(5).enumerated().map { index, process in
            Chart.Line(
                name: process.name, color: index + 1,
                points: process.samples.filter { $0.second <= length }
                    .map { (x: $0.second, y: Double($0.residentKiB) / 1_024) })
        }
        let most = lines.flatMap(\.points).map(\.y).max() ?? 1
        return Chart(
            title: "Resident memory", x: .time(length), y: .linear("MiB", most: most), lines: lines, bands: bands)
    }
}
