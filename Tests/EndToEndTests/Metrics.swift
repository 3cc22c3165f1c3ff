import Testing

/// Prometheus text, read as a collector reads it: each line must be understood.
struct Metrics {
    struct Sample {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    private(set) var samples: [Sample] = []
    /// The type of each family, by its name.
    private(set) var types: [String: String] = [:]
    /// Lines that are neither comment nor sample.
    private(set) var misunderstood: [String] = []

    init(_ text: String) {
        for line in text.split(separator: "\n") {
            if line.hasPrefix("#") {
                let words = line.split(separator: " ", maxSplits: 3)
                if words.count == 4, words[1] == "TYPE" { types[String(words[2])] = String(words[3]) }
            } else if let match = line.wholeMatch(of: /([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)/),
                let value = Double(String(match.3).replacing("Inf", with: "inf"))
            {
                samples.append(Sample(name: String(match.1), labels: Self.labels(match.2 ?? ""), value: value))
            } else {
                misunderstood.append(String(line))
            }
        }
    }

    private static func labels(_ text: Substring) -> [String: String] {
        var labels: [String: String] = [:]
        for match in text.matches(of: /([a-zA-Z_]+)="((?:[^"\\]|\\.)*)",?/) {
            labels[String(match.1)] = String(match.2)
        }
        return labels
    }

    /// The one sample of that name with at least these labels.
    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        samples.first { sample in sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value } }?
            .value
    }
}
