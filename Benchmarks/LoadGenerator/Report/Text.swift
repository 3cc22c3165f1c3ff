/// Numbers as text, without the help of a format string.
enum Text {
    /// `digits` places after the point, none when they are all 0.
    static func number(_ value: Double, _ digits: Int = 1) -> String {
        guard value.isFinite else { return "-" }
        let scale = [1.0, 10, 100, 1_000][min(max(digits, 0), 3)]
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 1e15 else { return "-" }
        let sign = value < 0 && scaled > 0 ? "-" : ""
        let (whole, rest) = Int(scaled).quotientAndRemainder(dividingBy: Int(scale))
        guard rest > 0 else { return "\(sign)\(whole)" }
        return "\(sign)\(whole).\(String(String(Int(scale) + rest).dropFirst()))"
    }

    /// Milliseconds with as many places as say something; `-` for none.
    static func milliseconds(_ value: Double?) -> String {
        guard let value else { return "-" }
        return number(value, value < 10 ? 2 : value < 100 ? 1 : 0)
    }

    static func percent(_ share: Double?) -> String {
        guard let share, share.isFinite else { return "-" }
        return number(share * 100, share > 0.99 && share < 1 ? 2 : 1) + " %"
    }

    static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
