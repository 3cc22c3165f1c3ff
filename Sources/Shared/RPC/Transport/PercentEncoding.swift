/// `grpc-message` is percent-encoded UTF-8: bytes outside 0x20...0x7e and `%` become `%XX`.
/// Source: gRPC over HTTP/2, "Status-Message".
enum PercentEncoding {
    ///
    /// - Parameter bytesMax: what does not fit is cut off, at the end of a character.
    static func encode(_ text: String, bytesMax: Int = .max) -> String {
        let isPlain: (UInt8) -> Bool = { $0 >= 0x20 && $0 <= 0x7e && $0 != UInt8(ascii: "%") }
        if text.utf8.count <= bytesMax, text.utf8.allSatisfy(isPlain) { return text }
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        for character in text.unicodeScalars {
            let end = encoded.count
            for byte in UTF8.encode(character) ?? UTF8.encodedReplacementCharacter {
                if isPlain(byte) {
                    encoded.append(byte)
                } else {
                    encoded.append(UInt8(ascii: "%"))
                    encoded.append(digits[Int(byte >> 4)])
                    encoded.append(digits[Int(byte & 15)])
                }
            }
            if encoded.count > bytesMax {
                encoded.removeLast(encoded.count - end)
                break
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    /// Leaves a `%` that is not followed by two digits as it is, as the specification asks.
    static func decode(_ text: UnsafeRawBufferPointer) -> String {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            if text[index] == UInt8(ascii: "%"), index + 2 < text.count,
                let high = hexValue(text[index + 1]), let low = hexValue(text[index + 2])
            {
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(text[index])
                index += 1
            }
        }
        return String(decoding: decoded, as: UTF8.self)
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
