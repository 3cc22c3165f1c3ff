import RPC

extension JSONCursor {
    /// Whether a string equals `expected`, escapes resolved.
    package func equals(_ text: Text, _ expected: StaticString) throws(JSONProblem) -> Bool {
        if text.hasEscapes {
            guard text.mayFit(in: expected.utf8CodeUnitCount) else { return false }
            return try unescaped(text).elementsEqual(
                UnsafeBufferPointer(start: expected.utf8Start, count: expected.utf8CodeUnitCount))
        }
        guard text.range.count == expected.utf8CodeUnitCount else { return false }
        for index in 0..<text.range.count
        where bytes[text.range.lowerBound + index] != expected.utf8Start[index] { return false }
        return true
    }

    /// The beginning of a string's content for display, longer than ``OutsideText/shownBytesMax`` where the content is.
    /// Invalid escapes stay as they are; bytes that are not UTF-8 become replacement characters.
    package func shown(_ text: Text) -> String {
        var result: [UInt8] = []
        var at = text.range.lowerBound
        while at < text.range.upperBound, result.count <= OutsideText.shownBytesMax {
            let start = at
            if bytes[start] == UInt8(ascii: "\\"), let scalar = try? escape(at: &at, end: text.range.upperBound) {
                result.append(utf8Of: scalar)
            } else {
                result.append(bytes[start])
                at = start + 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// A string's content as UTF-8, escapes resolved. Throws for unknown escapes and for half a surrogate pair.
    ///
    /// Resolving costs several times what reading plain text does: where only short content is valid, ask
    /// ``Text/mayFit(in:)`` first.
    package func unescaped(_ text: Text) throws(JSONProblem) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.range.count)
        var at = text.range.lowerBound
        while at < text.range.upperBound {
            let byte = bytes[at]
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                at += 1
                continue
            }
            result.append(utf8Of: try escape(at: &at, end: text.range.upperBound))
        }
        return result
    }

    /// The character of the escape at `at`; moves `at` behind it.
    func escape(at: inout Int, end: Int) throws(JSONProblem) -> Unicode.Scalar {
        let start = at
        // The scanner checked that a byte follows every backslash.
        let escape = bytes[at + 1]
        at += 2
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(escape)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            guard let scalar = unicodeEscape(at: &at, end: end) else {
                throw JSONProblem(.syntax("an escape that is no character", offset: start))
            }
            return scalar
        default:
            throw JSONProblem(.syntax("an unknown escape in a string", offset: start))
        }
    }

    /// The character behind `\u`, a second escape included where UTF-16 needs a pair.
    private func unicodeEscape(at: inout Int, end: Int) -> Unicode.Scalar? {
        guard let first = hexadecimal(at: at, end: end) else { return nil }
        at += 4
        guard first & 0xfc00 == 0xd800 else { return Unicode.Scalar(first) }
        guard at + 2 <= end, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u"),
            let second = hexadecimal(at: at + 2, end: end), second & 0xfc00 == 0xdc00
        else { return nil }
        at += 6
        return Unicode.Scalar(0x10000 + (first & 0x3ff) << 10 + second & 0x3ff)
    }

    private func hexadecimal(at: Int, end: Int) -> UInt32? {
        guard at + 4 <= end else { return nil }
        var value: UInt32 = 0
        for byte in bytes[at..<at + 4] {
            guard let digit = Hexadecimal.value(of: byte) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
