/// Walks JSON text (RFC 8259) in place, one value after the other, without building anything.
///
/// The pointer is only lent: a cursor lives inside the closure that lends it.
package struct JSONCursor {
    /// How deep objects and arrays may be nested.
    package static let depthMax = 64

    let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    /// A string value as it stands in the text.
    package struct Text {
        /// The bytes between the quotes.
        package let range: Range<Int>
        package let hasEscapes: Bool
        /// Whether there is nothing to check or to resolve: all bytes are ASCII, and none begins an escape.
        let isPlain: Bool

        /// Longest text of an escape for each byte that it stands for: `\u0061`. A pair has 12 bytes for 4.
        private static let escapeBytesMax = 6

        /// Whether the content, escapes resolved, may have at most `bytes` bytes; false when it surely has more.
        package func mayFit(in bytes: Int) -> Bool { range.count <= Self.escapeBytesMax * bytes }
    }

    package init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    func failure(_ reason: String) -> JSONProblem {
        JSONProblem(.syntax(reason, offset: offset))
    }

    // MARK: Tokens

    /// The next byte that is not white space, which stays to be read; `nil` at the end.
    package mutating func peek() -> UInt8? {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x09, 0x0a, 0x0d: offset += 1
            default: return bytes[offset]
            }
        }
        return nil
    }

    /// Steps over `byte` if it is next.
    package mutating func take(_ byte: Unicode.Scalar) -> Bool {
        guard let next = peek(), next == UInt8(ascii: byte) else { return false }
        offset += 1
        return true
    }

    package mutating func expect(_ byte: Unicode.Scalar) throws(JSONProblem) {
        guard take(byte) else { throw failure("expected \(byte)") }
    }

    package mutating func expectEnd() throws(JSONProblem) {
        guard peek() == nil else { throw failure("text after the value") }
    }

    /// Steps over `true`, `false` or `null` if it is next, whole.
    package mutating func take(word: StaticString) -> Bool {
        guard peek() != nil, bytes.count - offset >= word.utf8CodeUnitCount else { return false }
        for index in 0..<word.utf8CodeUnitCount where bytes[offset + index] != word.utf8Start[index] { return false }
        guard !isBare(at: offset + word.utf8CodeUnitCount) else { return false }
        offset += word.utf8CodeUnitCount
        return true
    }

    /// Whether a byte may be part of a number or a word: it is neither white space nor punctuation. The end is not.
    private func isBare(at: Int) -> Bool {
        guard at < bytes.count else { return false }
        switch bytes[at] {
        case 0x20, 0x09, 0x0a, 0x0d, UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "\""), UInt8(ascii: "["),
            UInt8(ascii: "]"), UInt8(ascii: "{"), UInt8(ascii: "}"):
            return false
        default: return true
        }
    }

    /// A string, opening quote included.
    package mutating func string() throws(JSONProblem) -> Text {
        guard take("\"") else { throw failure("expected a string") }
        let start = offset
        var hasEscapes = false
        var union: UInt8 = 0
        while offset < bytes.count {
            let byte = bytes[offset]
            switch byte {
            case UInt8(ascii: "\""):
                defer { offset += 1 }
                return Text(range: start..<offset, hasEscapes: hasEscapes, isPlain: union < 0x80)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                union |= 0x80
                offset += 2
            case 0..<0x20:
                throw failure("a control character in a string")
            default:
                union |= byte
                offset += 1
            }
        }
        throw JSONProblem(.syntax("a string without an end", offset: start))
    }

    /// A number's text, checked against the grammar.
    mutating func number() throws(JSONProblem) -> Range<Int> {
        _ = peek()
        let start = offset
        func isDigit(_ at: Int) -> Bool {
            at < bytes.count && bytes[at] >= UInt8(ascii: "0") && bytes[at] <= UInt8(ascii: "9")
        }
        var at = offset
        if at < bytes.count, bytes[at] == UInt8(ascii: "-") { at += 1 }
        guard isDigit(at) else { throw failure("expected a value") }
        if bytes[at] == UInt8(ascii: "0") {
            at += 1
            guard !isDigit(at) else { throw failure("a number with a leading zero") }
        }
        while isDigit(at) { at += 1 }
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            at += 1
            guard isDigit(at) else { throw failure("a number without digits after the point") }
            while isDigit(at) { at += 1 }
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            guard isDigit(at) else { throw failure("a number without digits in its exponent") }
            while isDigit(at) { at += 1 }
        }
        guard !isBare(at: at) else { throw failure("a number that goes on as text") }
        offset = at
        return start..<at
    }

    /// Steps over any value; answers where it stood.
    ///
    /// Finds its extent only. What is wrong inside is reported when the value is decoded, with its path.
    package mutating func skipValue() throws(JSONProblem) -> Range<Int> {
        guard peek() != nil else { throw failure("expected a value") }
        let start = offset
        // One bit per open bracket, the innermost lowest: 1 for an object, 0 for an array.
        var open: UInt64 = 0
        var depth = 0
        repeat {
            guard let next = peek() else { throw failure("a value without an end") }
            switch next {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard depth < Self.depthMax else { throw failure("nested too deep") }
                open = open << 1 | (next == UInt8(ascii: "{") ? 1 : 0)
                depth += 1
                offset += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard depth > 0, open & 1 == (next == UInt8(ascii: "}") ? 1 : 0) else {
                    throw failure("expected a value")
                }
                open >>= 1
                depth -= 1
                offset += 1
            case UInt8(ascii: "\""):
                try skipString()
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                guard depth > 0 else { throw failure("expected a value") }
                offset += 1
            default:
                while isBare(at: offset) { offset += 1 }
            }
        } while depth > 0
        return start..<offset
    }

    private mutating func skipString() throws(JSONProblem) {
        offset += 1
        let start = offset
        while offset < bytes.count {
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                offset += 1
                return
            case UInt8(ascii: "\\"): offset += 2
            default: offset += 1
            }
        }
        throw JSONProblem(.syntax("a string without an end", offset: start))
    }
}
