extension TraceReceiver {
    /// What makes a program send its metrics and its log here as well, soon.
    public var environmentOfAll: [String: String] {
        environment.merging([
            "OTEL_METRICS_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "100",
            "OTEL_BLRP_SCHEDULE_DELAY": "50",
        ]) { $1 }
    }

    /// All families that it took, in that order: each as often as it was sent.
    public var metrics: [ReceivedMetric] { received("metrics") }

    /// All lines of logs that it took, in that order.
    public var logs: [ReceivedLog] { received("logs") }
}

/// A family of metrics as a collector got it. Times are nanoseconds since 1970.
public struct ReceivedMetric: Decodable, Sendable {
    public struct Point: Decodable, Sendable {
        public var attributes: [String: String]
        /// 0 for gauges.
        public var start: UInt64
        public var time: UInt64
        /// A number, or a histogram's sum; empty when there is none.
        public var value: String
        /// Of histograms.
        public var count: UInt64?
        /// Of histograms: not cumulative, one more than there are bounds.
        public var buckets: [UInt64]?
        public var bounds: [Double]?
    }

    public var service: String
    public var resource: [String: String]
    public var name: String
    public var description: String
    /// `sum`, `gauge` or `histogram`.
    public var kind: String
    public var is_monotonic: Bool
    public var is_cumulative: Bool
    public var points: [Point]
    /// What came along with the batch.
    public var headers: [String: String]
}

/// A line of a log as a collector got it. Ids are hexadecimal, and empty when there are none.
public struct ReceivedLog: Decodable, Sendable {
    public var service: String
    public var resource: [String: String]
    public var logger: String
    /// Nanoseconds since 1970.
    public var time: UInt64
    /// OpenTelemetry's severity number.
    public var severity: Int
    public var level: String
    public var message: String
    public var attributes: [String: String]
    public var trace: String
    public var span: String
    public var flags: UInt32
}
