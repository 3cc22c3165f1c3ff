/// Writes Prometheus' text format, version 0.0.4.
/// Source: prometheus.io, "Exposition formats", "Text-based format".
public enum PrometheusText {
    /// For the `content-type` header.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    static func render(_ snapshot: MetricSnapshot) -> String {
        var text = ""
        for family in snapshot.families {
            writeHead(family, to: &text)
            for point in family.points {
                switch point.value {
                case .number(let value):
                    writeSample(family.name, point.labels, value, to: &text)
                case .histogram(let bounds, let counts, let sum):
                    writeHistogram(family.name, point.labels, bounds, counts, sum, to: &text)
                }
            }
        }
        return text
    }

    private static func writeHead(_ family: MetricFamily, to text: inout String) {
        if !family.help.isEmpty {
            let escaped = family.help.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\\\")
                .split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\\n")
            text += "# HELP \(family.name) \(escaped)\n"
        }
        text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
    }

    private static func writeSample(_ name: String, _ labels: Labels, _ value: Double, to text: inout String) {
        text += name
        if !labels.text.isEmpty { text += "{\(labels.text)}" }
        text += " \(number(value))\n"
    }

    private static func writeHistogram(
        _ name: String, _ labels: Labels, _ bounds: [Double], _ counts: [UInt64], _ sum: Double, to text: inout String
    ) {
        let prefix = labels.text.isEmpty ? "" : labels.text + ","
        var total: UInt64 = 0
        for (index, count) in counts.enumerated() {
            total += count
            let bound = index < bounds.count ? number(bounds[index]) : "+Inf"
            text += "\(name)_bucket{\(prefix)le=\"\(bound)\"} \(total)\n"
        }
        writeSample(name + "_sum", labels, sum, to: &text)
        writeSample(name + "_count", labels, Double(total), to: &text)
    }

    /// Whole numbers without a fraction, and the format's words for what is not a number.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return "\(whole)" }
        return "\(value)"
    }
}
