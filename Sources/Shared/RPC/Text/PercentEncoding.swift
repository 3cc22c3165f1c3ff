/// Percent-encoding: a byte as `%XX`, in URIs (RFC 3986 section 2.1), in variables, and in gRPC's status messages.
package enum PercentEncoding {
    /// The bytes with each `%XX` resolved, digits of either case.
    ///
    /// - Parameters:
    ///   - plusIsSpace: whether `+` stands for a space, as in forms (WHATWG URL standard,
    ///     "application/x-www-form-urlencoded parsing").
    ///   - keepsStrays: whether a `%` without two digits behind it stays as it is.
    /// - Returns: `nil` for a `%` without two digits behind it.
    package static func decode(
        _ text: UnsafeRawBufferPointer, plusIsSpace: Bool = false, keepsStrays: Bool = false
    ) -> [UInt8]? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "%") {
                if let resolved = self.byte(in: text, at: index) {
                    decoded.append(resolved)
                    index += 3
                    continue
                }
                guard keepsStrays else { return nil }
            }
            decoded.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            index += 1
        }
        return decoded
    }

    /// The text with each `%XX` resolved, digits of either case.
    ///
    /// - Returns: `nil` for a `%` without two digits behind it, and for what is then no UTF-8.
    package static func decode(_ text: Substring) -> String? {
        var text = String(text)
        return text.withUTF8 { decode(UnsafeRawBufferPointer($0)) }.flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The byte that the `%XX` at `index` stands for.
    private static func byte(in text: UnsafeRawBufferPointer, at index: Int) -> UInt8? {
        guard index + 2 < text.count, let high = Hexadecimal.value(of: text[index + 1]),
            let low = Hexadecimal.value(of: text[index + 2])
        else { return nil }
        return high << 4 | low
    }

    // MARK: Status messages

    /// The value of `grpc-message`: bytes outside 0x20...0x7e and `%` become `%XX`.
    /// Source: gRPC over HTTP/2, "Status-Message".
    ///
    /// - Parameter bytesMax: what does not fit is cut off, at the end of a character.
    static func encode(message text: String, bytesMax: Int = .max) -> String {
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

    /// A `grpc-message`, decoded. Leaves a `%` that is not followed by two digits as it is, as the specification asks.
    static func decode(message text: UnsafeRawBufferPointer) -> String {
        String(decoding: decode(text, keepsStrays: true) ?? [], as: UTF8.self)
    }
}
