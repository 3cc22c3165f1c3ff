import RPC

/// Writing JSON into plain bytes.
extension [UInt8] {
    private static let hexadecimalDigits: StaticString = "0123456789ABCDEF"

    mutating func append(literal: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    mutating func append(utf8Of scalar: Unicode.Scalar) {
        if scalar.isASCII {
            append(UInt8(truncatingIfNeeded: scalar.value))
        } else {
            // Every scalar has a UTF-8 form.
            append(contentsOf: Unicode.UTF8.encode(scalar) ?? Unicode.UTF8.encodedReplacementCharacter)
        }
    }

    /// Appends a text as a JSON string with its quotes (RFC 8259 section 7). Control characters are escaped, those from
    /// U+007F to U+009F too.
    ///
    /// - Throws: ``MalformedMessage`` for bytes that are not UTF-8.
    mutating func appendJSONText(_ text: UnsafeRawBufferPointer) throws(MalformedMessage) {
        append(UInt8(ascii: "\""))
        // What comes before `start` is written.
        var start = 0
        var at = 0
        var isChecked = false
        while at < text.count {
            let byte = text[at]
            switch byte {
            case 0..<0x20, 0x7f, UInt8(ascii: "\""), UInt8(ascii: "\\"):
                append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start..<at]))
                appendEscape(byte)
                at += 1
                start = at
            case 0x80...:
                if !isChecked {
                    guard text.isUTF8 else { throw MalformedMessage() }
                    isChecked = true
                }
                // U+0080 to U+009F are two bytes, of which the first begins no other controls.
                if byte == 0xc2, text[at + 1] < 0xa0 {
                    append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start..<at]))
                    appendEscape(text[at + 1])
                    at += 2
                    start = at
                } else {
                    at += 1
                }
            default:
                at += 1
            }
        }
        append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start..<text.count]))
        append(UInt8(ascii: "\""))
    }

    private mutating func appendEscape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append(literal: "\\\"")
        case UInt8(ascii: "\\"): append(literal: "\\\\")
        case 0x08: append(literal: "\\b")
        case 0x09: append(literal: "\\t")
        case 0x0a: append(literal: "\\n")
        case 0x0c: append(literal: "\\f")
        case 0x0d: append(literal: "\\r")
        default:
            append(literal: "\\u00")
            append(Self.hexadecimalDigits.utf8Start[Int(byte >> 4)])
            append(Self.hexadecimalDigits.utf8Start[Int(byte & 0xf)])
        }
    }

    /// Appends a number in decimal digits.
    mutating func appendDecimal(_ value: Int64) {
        var low = count
        // From the last digit to the first, then the other way round.
        var rest = value.magnitude
        repeat {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        if value < 0 { append(UInt8(ascii: "-")) }
        var high = count - 1
        while low < high {
            swapAt(low, high)
            low += 1
            high -= 1
        }
    }
}
