/// Writes Prometheus' text format, version 0.0.4.
/// Source: prometheus.io, "Exposition formats", "Text-based format".
public struct PrometheusText: Sendable {
    /// For the `content-type` header.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// What a family counts.
    public enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    public private(set) var text = ""

    init() {}

    /// Adds samples that were written apart.
    mutating func append(_ other: PrometheusText) {
        text += other.text
    }

    /// The head of a family; its samples must follow before the next head.
    mutating func family(_ name: String, _ kind: Kind, help: String) {
        if !help.isEmpty {
            let escaped = help.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\\\")
                .split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\\n")
            text += "# HELP \(name) \(escaped)\n"
        }
        text += "# TYPE \(name) \(kind.rawValue)\n"
    }

    mutating func sample(_ name: String, _ labels: Labels, _ value: Double) {
        text += name
        if !labels.text.isEmpty { text += "{\(labels.text)}" }
        text += " \(Self.number(value))\n"
    }

    /// The samples of one histogram series.
    ///
    /// - Parameter counts: per bucket, not cumulative, with that above the last bound at the end.
    mutating func histogram(_ name: String, _ labels: Labels, bounds: [Double], counts: [UInt64], sum: Double) {
        let prefix = labels.text.isEmpty ? "" : labels.text + ","
        var total: UInt64 = 0
        for (index, count) in counts.enumerated() {
            total += count
            let bound = index < bounds.count ? Self.number(bounds[index]) : "+Inf"
            text += "\(name)_bucket{\(prefix)le=\"\(bound)\"} \(total)\n"
        }
        sample(name + "_sum", labels, sum)
        sample(name + "_count", labels, Double(total))
    }

    /// Whole numbers without a fraction, and the format's words for what is not a number.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return "\(whole)" }
        return "\(value)"
    }
}
