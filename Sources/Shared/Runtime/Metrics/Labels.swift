import RPC

/// The labels of one series, in a stable order and ready to be written.
struct Labels: Hashable, Sendable {
    /// `name="value",…` without braces, escaped; empty for no labels.
    let text: String
    /// The same in the same order, as they are.
    let pairs: [(name: String, value: String)]

    static let none = Labels([])

    /// Names are made legal; of two with the same name the later wins, since a series must not have one twice.
    init(_ pairs: [(String, String)]) {
        var values: [String: String] = [:]
        for (name, value) in pairs {
            values[PrometheusName.label(name)] = value
        }
        self.pairs = values.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
        text = self.pairs.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
    }

    static func == (left: Labels, right: Labels) -> Bool { left.text == right.text }

    func hash(into hasher: inout Hasher) { hasher.combine(text) }

    /// Backslash, quote and line feed are what the text format escapes in a label's value.
    private static func escaped(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 == 0x5c || $0 == 0x22 || $0 == 0x0a }) else { return value }
        var text = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

/// Names as Prometheus' text format allows them.
enum PrometheusName {
    /// Letters, digits, `_` and `:`, not starting with a digit; everything else becomes `_`.
    static func metric(_ name: String) -> String {
        legal(name) { $0 == 0x3a }
    }

    /// Letters, digits and `_`. `le` belongs to histograms and gets a prefix.
    static func label(_ name: String) -> String {
        let name = legal(name) { _ in false }
        return name == "le" ? "exported_le" : name
    }

    private static func legal(_ name: String, or allowed: (UInt8) -> Bool) -> String {
        var bytes = name.utf8.map { $0.isAlphanumericASCII || allowed($0) ? $0 : 0x5f }
        if bytes.first.map({ (0x30...0x39).contains($0) }) ?? true { bytes.insert(0x5f, at: 0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
