/// Percent-encoded text in variables.
enum PercentText {
    /// `text` without the space around it, decoded; `nil` when it is malformed.
    static func decode(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8.drop(while: isSpace)
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// `a=b,c=d`, percent-encoded (W3C Baggage). The text may hold secrets, so it is not repeated.
    static func pairs(
        _ text: String, _ variable: String
    ) throws(ConfigurationError) -> [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        for member in text.split(separator: ",") {
            let parts = member.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = decode(parts[0]), !name.isEmpty, let value = decode(parts[1]) else {
                throw ConfigurationError("\(variable): it is not NAME=VALUE,NAME=VALUE")
            }
            pairs.append((name, value))
        }
        return pairs
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
