/// Text as 7-bit lines that every mail server passes on unchanged (RFC 2045, 6.7).
enum QuotedPrintable {
    private static let lineLengthMax = 76

    /// - Parameter text: lines end with LF.
    /// - Returns: lines of at most 76 characters that end with CRLF and none of which begins with a dot, so that the
    ///   dots that SMTP doubles don't even arise.
    static func encode(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map(encodeLine).joined(separator: "\r\n")
    }

    private static func encodeLine(_ line: Substring) -> String {
        var encoded = ""
        var length = 0
        let bytes = Array(line.utf8)
        for (index, byte) in bytes.enumerated() {
            var piece = isLiteral(byte, isLast: index == bytes.count - 1) ? String(UnicodeScalar(byte)) : escape(byte)
            // Room for the `=` that says that the line goes on.
            if length + piece.utf8.count > lineLengthMax - 1 {
                encoded += "=\r\n"
                length = 0
            }
            if length == 0, byte == UInt8(ascii: ".") { piece = escape(byte) }
            encoded += piece
            length += piece.utf8.count
        }
        return encoded
    }

    /// A space at the end of a line may get lost on the way.
    private static func isLiteral(_ byte: UInt8, isLast: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "="): false
        case UInt8(ascii: " "): !isLast
        default: (0x21...0x7e).contains(byte)
        }
    }

    private static func escape(_ byte: UInt8) -> String {
        let digits = Array("0123456789ABCDEF")
        return "=\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
    }
}
