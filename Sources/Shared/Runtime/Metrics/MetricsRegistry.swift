import Synchronization

/// The metrics of a process: what reads each, and all of them at once: as Prometheus text or for export.
///
/// Series are added while a program is built, and never by what a request says: metrics by method, route or status are
/// collectors, which bound what they tell apart. Every function may be called from any thread.
public final class MetricsRegistry: Sendable {
    /// A family has a kind, and a reading for each label set.
    private struct Family {
        let kind: MetricFamily.Kind
        var help = ""
        var readings: [Labels: @Sendable () -> Double] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var collectors: [(name: String, collect: @Sendable (inout MetricSnapshot) -> Void)] = []
    }

    private let state = Mutex(State())
    /// Since when counters and histograms count.
    let start = Timestamp.now()

    public init() {}

    /// Adds a gauge that is read at each scrape. A second one with the same name and labels replaces the first.
    ///
    /// - Parameter read: called on the thread that renders; must be quick and must not block.
    public func gauge(
        _ name: String, _ help: String, labels: [(String, String)] = [], read: @escaping @Sendable () -> Double
    ) {
        add(name, .gauge, help, labels, read)
    }

    /// Adds a counter that is read at each scrape, for what is counted elsewhere. Never falls.
    public func counter(
        _ name: String, _ help: String, labels: [(String, String)] = [], read: @escaping @Sendable () -> Double
    ) {
        add(name, .counter, help, labels, read)
    }

    /// Adds a histogram in seconds.
    func histogram(_ name: String, _ help: String, _ histogram: LatencyHistogram) {
        collect(name) { snapshot in
            let (counts, seconds) = histogram.snapshot()
            snapshot.family(name, .histogram, help: help)
            snapshot.histogram(.none, bounds: LatencyHistogram.boundsSeconds, counts: counts, sum: seconds)
        }
    }

    private func add(
        _ name: String, _ kind: MetricFamily.Kind, _ help: String, _ labels: [(String, String)],
        _ read: @escaping @Sendable () -> Double
    ) {
        let name = PrometheusName.metric(name)
        let labels = Labels(labels)
        state.withLock { state in
            var family = state.families[name] ?? Family(kind: kind)
            // One name must not have two types: the first stays.
            guard family.kind == kind else { return }
            family.help = help
            family.readings[labels] = read
            state.families[name] = family
        }
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
        // Readings run outside the lock: they may take locks of their own, or add metrics.
        let (families, collectors) = state.withLock { ($0.families, $0.collectors) }
        var parts: [(name: String, write: (inout MetricSnapshot) -> Void)] = []
        for (name, family) in families {
            parts.append(
                (
                    name,
                    { snapshot in
                        snapshot.family(name, family.kind, help: family.help)
                        for (labels, read) in family.readings.sorted(by: { $0.key.text < $1.key.text }) {
                            snapshot.sample(labels, read())
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
