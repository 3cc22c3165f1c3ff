import CoreMetrics

/// What libraries record through swift-metrics lands in the registry: dots become underscores, counters end in
/// `_total` and timers in `_seconds`, as Prometheus has it.
extension MetricsRegistry: MetricsFactory {
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        counter(label, dimensions)
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        counter(label, dimensions)
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, dimensions)
    }

    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return gauge(label, dimensions) }
        return series(PrometheusName.metric(label), .histogram, Labels(dimensions)) {
            HistogramSeries(bounds: HistogramSeries.recorderBounds)
        }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(Self.name(label, ending: "_seconds"), .histogram, Labels(dimensions)) {
            HistogramSeries(bounds: HistogramSeries.timerBounds)
        }
    }

    public func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { destroy(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }

    private func destroy(_ handler: AnyObject) {
        remove { $0 === handler }
    }

    private func counter(_ label: String, _ dimensions: [(String, String)]) -> CounterSeries {
        series(Self.name(label, ending: "_total"), .counter, Labels(dimensions)) { CounterSeries() }
    }

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> GaugeSeries {
        series(PrometheusName.metric(label), .gauge, Labels(dimensions)) { GaugeSeries() }
    }

    private static func name(_ label: String, ending: String) -> String {
        let name = PrometheusName.metric(label)
        return name.hasSuffix(ending) ? name : name + ending
    }
}
