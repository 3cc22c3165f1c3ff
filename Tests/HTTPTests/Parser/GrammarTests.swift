import Testing

@testable import HTTP

/// The scans look at eight bytes at a time where they can, so each byte is tried in each place of a word.
@Suite("The grammar of HTTP, byte by byte")
struct GrammarTests {
    /// RFC 9110 section 5.6.2: `tchar`.
    private static let tokenBytes = Set(
        ("!#$%&'*+-.^_`|~0123456789" + "abcdefghijklmnopqrstuvwxyz" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ").utf8)

    /// RFC 9110 section 5.5: `VCHAR`, `obs-text`, space and tab.
    private static let fieldBytes = Set<UInt8>(Array(0x21...0x7e) + Array(0x80...0xff) + [0x20, 0x09])

    @Test("each byte is judged alike wherever it stands, whatever is beside it", arguments: [1, 7, 8, 9, 20])
    func bytes(length: Int) {
        for byte in UInt8.min...UInt8.max {
            let isTokenByte = Self.tokenBytes.contains(byte)
            let isFieldByte = Self.fieldBytes.contains(byte)
            #expect(byte.isTokenByte == isTokenByte && byte.isFieldByte == isFieldByte, "\(byte)")
            for place in 0..<length {
                // Neighbours whose sums and differences could carry over into the byte beside them.
                for other in "aZ-~".utf8 {
                    var text = [UInt8](repeating: other, count: length)
                    text[place] = byte
                    let isAsExpected = text.withUnsafeBytes { text in
                        text.isToken == isTokenByte && text.isFieldValue == isFieldByte
                            && text.endOfToken(from: 0) == (isTokenByte ? length : place)
                            && text.endOfFieldValue(from: 0) == (isFieldByte ? length : place)
                            && text.index(of: byte, from: 0) == (byte == other ? 0 : place)
                    }
                    if !isAsExpected { Issue.record("\(byte) at \(place) of \(length), beside \(other)") }
                }
            }
        }
    }

    @Test("two bytes beside each other are each judged alone")
    func pairs() {
        for first in UInt8.min...UInt8.max {
            for second in UInt8.min...UInt8.max {
                var text = [UInt8](repeating: UInt8(ascii: "a"), count: 8)
                (text[3], text[4]) = (first, second)
                let isToken = Self.tokenBytes.contains(first) && Self.tokenBytes.contains(second)
                let isValue = Self.fieldBytes.contains(first) && Self.fieldBytes.contains(second)
                let isAsExpected = text.withUnsafeBytes { $0.isToken == isToken && $0.isFieldValue == isValue }
                if !isAsExpected { Issue.record("\(first), \(second)") }
            }
        }
    }

    @Test("a field line is one with its CRLF, and nothing before the end of its name or value")
    func fieldLines() {
        func colonAndEnd(_ text: String) -> [Int]? {
            Array(text.utf8).withUnsafeBytes { bytes in bytes.fieldLine(at: 1).map { [$0.colon, $0.end] } }
        }
        #expect(colonAndEnd(" x:\r\n") == [2, 3])
        #expect(colonAndEnd(" accept-language:\ta, b\tc: d  \r\n\r\n") == [16, 29])
        for text in [" ", " x", " x:", " x: y", " x: y\r", " x: y\n", " x: y\r\r\n", " : y\r\n", " x : y\r\n"] {
            #expect(colonAndEnd(text) == nil, "\(text.debugDescription)")
        }
    }
}
