import Contracts

/// Metrics as OpenTelemetry's protocol writes them, under the names and labels that `/metrics` shows.
enum MetricMessage {
    /// - Parameter resource: what is said about this process.
    static func request(_ metrics: [Otlp_Metric], _ resource: Otlp_Resource) -> Otlp_ExportMetricsRequest {
        var scope = Otlp_ScopeMetrics()
        scope.scope.name = "shippy"
        scope.metrics = metrics
        var group = Otlp_ResourceMetrics()
        group.resource = resource
        group.scopeMetrics = [scope]
        var request = Otlp_ExportMetricsRequest()
        request.resourceMetrics = [group]
        return request
    }

    /// Counters become sums that never fall; sums and histograms are cumulative. A series without a value is left out.
    ///
    /// - Parameters:
    ///   - start: since when counters and histograms count.
    ///   - time: when the snapshot was taken.
    static func metrics(
        _ snapshot: MetricSnapshot, since start: Timestamp, at time: Timestamp
    ) -> [Otlp_Metric] {
        snapshot.families.compactMap { family in
            let metric = metric(family, start.nanoseconds, time.nanoseconds)
            return points(of: metric) > 0 ? metric : nil
        }
    }

    /// Its data points.
    static func points(of metric: Otlp_Metric) -> Int {
        if metric.hasSum { return metric.sum.dataPoints.count }
        if metric.hasHistogram { return metric.histogram.dataPoints.count }
        return metric.gauge.dataPoints.count
    }

    private static func metric(_ family: MetricFamily, _ start: UInt64, _ time: UInt64) -> Otlp_Metric {
        var metric = Otlp_Metric()
        metric.name = family.name
        metric.description_p = family.help
        switch family.kind {
        case .counter:
            var sum = Otlp_Sum()
            sum.aggregationTemporality = .cumulative
            sum.isMonotonic = true
            sum.dataPoints = family.points.compactMap { number($0, start: start, time) }
            metric.sum = sum
        case .gauge:
            var gauge = Otlp_Gauge()
            gauge.dataPoints = family.points.compactMap { number($0, start: 0, time) }
            metric.gauge = gauge
        case .histogram:
            var histogram = Otlp_Histogram()
            histogram.aggregationTemporality = .cumulative
            histogram.dataPoints = family.points.compactMap { distribution($0, start: start, time) }
            metric.histogram = histogram
        }
        return metric
    }

    /// `nil` for what is no number at this moment.
    private static func number(_ point: MetricFamily.Point, start: UInt64, _ time: UInt64) -> Otlp_NumberDataPoint? {
        guard case .number(let value) = point.value, !value.isNaN else { return nil }
        var message = Otlp_NumberDataPoint()
        message.startTimeUnixNano = start
        message.timeUnixNano = time
        message.asDouble = value
        message.attributes = attributes(point.labels)
        return message
    }

    private static func distribution(
        _ point: MetricFamily.Point, start: UInt64, _ time: UInt64
    ) -> Otlp_HistogramDataPoint? {
        guard case .histogram(let bounds, let counts, let sum) = point.value else { return nil }
        var message = Otlp_HistogramDataPoint()
        message.startTimeUnixNano = start
        message.timeUnixNano = time
        message.count = counts.reduce(0, +)
        message.sum = sum
        message.bucketCounts = counts
        message.explicitBounds = bounds
        message.attributes = attributes(point.labels)
        return message
    }

    private static func attributes(_ labels: Labels) -> [Otlp_KeyValue] {
        labels.pairs.map { Otlp_KeyValue($0.name, .text($0.value)) }
    }
}
