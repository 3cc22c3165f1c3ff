import RPC

/// JSON's string form: quotes around, and escapes for quotes, backslashes and control characters.
package enum JSONText {
    /// Appends `text`, however long it is.
    package static func appendWhole(_ text: String, to bytes: inout [UInt8]) {
        append(text, to: &bytes, bytesMax: .max)
    }

    /// Appends `text`, cut at ``LogLine/textBytesMax`` bytes and then ending in `…`.
    static func append(_ text: String, to bytes: inout [UInt8], bytesMax: Int = LogLine.textBytesMax) {
        bytes.append(UInt8(ascii: "\""))
        let start = bytes.count
        var left = bytesMax
        for byte in text.utf8 {
            if left == 0 {
                removePartialCharacter(from: start, in: &bytes)
                bytes.append(contentsOf: "…".utf8)
                break
            }
            left -= 1
            append(byte, to: &bytes)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func append(_ byte: UInt8, to bytes: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(byte)
        case UInt8(ascii: "\n"):
            bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "n")])
        case UInt8(ascii: "\t"):
            bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "t")])
        case 0..<0x20, 0x7f:
            bytes.append(contentsOf: #"\u00"#.utf8)
            bytes.append(Hexadecimal.digit(byte >> 4))
            bytes.append(Hexadecimal.digit(byte & 15))
        case 0x80..<0xa0 where bytes.last == 0xc2:
            // U+0080 to U+009F, whose first byte is there already: terminals obey them like those below U+0020.
            bytes.removeLast()
            bytes.append(contentsOf: #"\u00"#.utf8)
            bytes.append(Hexadecimal.digit(byte >> 4))
            bytes.append(Hexadecimal.digit(byte & 15))
        default:
            bytes.append(byte)
        }
    }

    /// A cut through a character of several bytes would not be UTF-8 any more.
    private static func removePartialCharacter(from start: Int, in bytes: inout [UInt8]) {
        var lead = bytes.count - 1
        while lead >= start, bytes[lead] & 0xc0 == 0x80 { lead -= 1 }
        guard lead >= start, bytes[lead] >= 0xc0 else { return }
        let length = bytes[lead] >= 0xf0 ? 4 : bytes[lead] >= 0xe0 ? 3 : 2
        if bytes.count - lead < length { bytes.removeSubrange(lead...) }
    }
}
