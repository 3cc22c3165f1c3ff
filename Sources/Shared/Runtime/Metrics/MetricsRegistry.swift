import Synchronization

/// The metrics of a process: hands out series to record in, and reads all of them: as Prometheus text or for export.
///
/// The number of series is bounded, so that label values taken from requests can't fill the memory: past
/// `seriesMax`, a family's new label sets share one series with the label `otel_metric_overflow="true"`.
/// Every function may be called from any thread; making a series takes a lock, recording in it does not.
public final class MetricsRegistry: Sendable {
    /// The default bound on series.
    public static let seriesMaxStandard = 2_000

    /// A family has a name, a kind, and a series for each label set.
    private struct Family {
        var kind: MetricFamily.Kind
        var series: [Labels: any MetricSeries] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var helps: [String: String] = [:]
        var seriesCount = 0
        var collectors: [(name: String, collect: @Sendable (inout MetricSnapshot) -> Void)] = []
    }

    private let state = Mutex(State())
    private let seriesMax: Int
    /// Since when counters and histograms count.
    let start = Timestamp.now()

    public init(seriesMax: Int = seriesMaxStandard) {
        self.seriesMax = seriesMax
    }

    /// Sets the HELP line of a family, made already or not.
    public func describe(_ name: String, _ help: String) {
        state.withLock { $0.helps[PrometheusName.metric(name)] = help }
    }

    /// Adds a gauge that is read at each scrape. A second one with the same name and labels replaces the first.
    ///
    /// - Parameter read: called on the thread that renders; must be quick and must not block.
    public func gauge(
        _ name: String, _ help: String, labels: [(String, String)] = [], read: @escaping @Sendable () -> Double
    ) {
        callback(name, .gauge, help, labels, read)
    }

    /// Adds a counter that is read at each scrape, for what is counted elsewhere. Never falls.
    public func counter(
        _ name: String, _ help: String, labels: [(String, String)] = [], read: @escaping @Sendable () -> Double
    ) {
        callback(name, .counter, help, labels, read)
    }

    private func callback(
        _ name: String, _ kind: MetricFamily.Kind, _ help: String, _ labels: [(String, String)],
        _ read: @escaping @Sendable () -> Double
    ) {
        describe(name, help)
        let labels = Labels(labels)
        let name = PrometheusName.metric(name)
        remove(name, labels)
        _ = series(name, kind, labels) { CallbackSeries(read) }
    }

    /// The series of `name` with `labels`, made when there is none.
    ///
    /// When the name is taken by another kind, or by another class of series, the answer records but is not rendered:
    /// one name must not have two types.
    func series<Series: MetricSeries>(
        _ name: String, _ kind: MetricFamily.Kind, _ labels: Labels, make: () -> Series
    ) -> Series {
        state.withLock { state in
            var family = state.families[name] ?? Family(kind: kind)
            guard family.kind == kind else { return make() }
            if let known = family.series[labels] { return known as? Series ?? make() }
            var labels = labels
            if state.seriesCount >= seriesMax {
                labels = .overflow
                if let shared = family.series[labels] { return shared as? Series ?? make() }
                // Names are made by programmers, not by requests, but even they are not without end.
                guard state.families.count < seriesMax else { return make() }
            }
            let series = make()
            family.series[labels] = series
            state.families[name] = family
            state.seriesCount += 1
            return series
        }
    }

    /// Forgets a series that nobody records in any more.
    func remove(where matches: (any MetricSeries) -> Bool) {
        state.withLock { state in
            for (name, family) in state.families {
                for (labels, series) in family.series where matches(series) {
                    Self.remove(name, labels, from: &state)
                }
            }
        }
    }

    private func remove(_ name: String, _ labels: Labels) {
        state.withLock { Self.remove(name, labels, from: &$0) }
    }

    private static func remove(_ name: String, _ labels: Labels, from state: inout State) {
        guard state.families[name]?.series.removeValue(forKey: labels) != nil else { return }
        state.seriesCount -= 1
        if state.families[name]?.series.isEmpty ?? false { state.families[name] = nil }
    }

    /// Adds a writer of whole families, for metrics kept in a form of their own.
    ///
    /// - Parameter name: the first family's name, which decides where it stands.
    func collect(_ name: String, _ collect: @escaping @Sendable (inout MetricSnapshot) -> Void) {
        state.withLock { $0.collectors.append((name, collect)) }
    }

    /// All metrics, families by name and series by labels, so that two scrapes can be compared.
    public func render() -> String { PrometheusText.render(snapshot()) }

    /// What ``render()`` writes, in the same order.
    func snapshot() -> MetricSnapshot {
        // Callbacks run outside the lock: they may take locks of their own, or make metrics.
        let (families, helps, collectors) = state.withLock { ($0.families, $0.helps, $0.collectors) }
        var parts: [(name: String, write: (inout MetricSnapshot) -> Void)] = []
        for (name, family) in families {
            parts.append(
                (
                    name,
                    { snapshot in
                        snapshot.family(name, family.kind, help: helps[name] ?? "")
                        for (labels, series) in family.series.sorted(by: { $0.key.text < $1.key.text }) {
                            series.write(labels, to: &snapshot)
                        }
                    }
                ))
        }
        for collector in collectors {
            parts.append((collector.name, { collector.collect(&$0) }))
        }
        var snapshot = MetricSnapshot()
        for part in parts.sorted(by: { $0.name < $1.name }) {
            part.write(&snapshot)
        }
        return snapshot
    }
}
