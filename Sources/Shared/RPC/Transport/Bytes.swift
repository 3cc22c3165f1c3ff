/// Comparisons of raw bytes with literals, so that header fields are recognised without making strings.
extension UnsafeRawBufferPointer {
    package func equals(_ literal: StaticString) -> Bool {
        guard count == literal.utf8CodeUnitCount else { return false }
        return starts(literal)
    }

    /// Whether the bytes equal `lowercase` up to the case of ASCII letters.
    func equals(anyCaseOf lowercase: StaticString) -> Bool {
        let expected = UnsafeRawBufferPointer(start: lowercase.utf8Start, count: lowercase.utf8CodeUnitCount)
        return count == expected.count && elementsEqual(expected) { $0.lowercasedASCII == $1 }
    }

    func hasPrefix(_ literal: StaticString) -> Bool {
        count >= literal.utf8CodeUnitCount && starts(literal)
    }

    /// The caller has compared the lengths.
    private func starts(_ literal: StaticString) -> Bool {
        let expected = UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount)
        for index in 0..<expected.count where self[index] != expected[index] { return false }
        return true
    }

    func equals(_ bytes: [UInt8]) -> Bool {
        count == bytes.count && bytes.withUnsafeBytes { elementsEqual($0) }
    }

    /// An unsigned number of 1 to `digitsMax` digits; `nil` for anything else.
    func decimal(digitsMax: Int) -> Int? {
        guard !isEmpty, count <= digitsMax else { return nil }
        var number = 0
        for byte in self {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            number = number * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return number
    }

    /// Whether the bytes are gRPC's media type for protobuf: not `application/grpc-web`, and not
    /// `application/grpc+json`. Its letters may have any case, and blanks may precede the `;` of a parameter.
    /// Source: gRPC over HTTP/2, "Content-Type"; RFC 9110 section 8.3.1.
    var isGRPCMediaType: Bool {
        if equals("application/grpc") { return true }
        var end = firstIndex(of: UInt8(ascii: ";")) ?? count
        while end > 0, self[end - 1] == UInt8(ascii: " ") || self[end - 1] == UInt8(ascii: "\t") { end -= 1 }
        let type = UnsafeRawBufferPointer(rebasing: self[..<end])
        return type.equals(anyCaseOf: "application/grpc") || type.equals(anyCaseOf: "application/grpc+proto")
    }

    /// Bytes of this text, without quotes, in the gateway's JSON, which escapes U+0000 to U+001F, U+007F to U+009F, quotes
    /// and backslashes.
    package var escapedJSONBytes: Int {
        var size = 0
        var before: UInt8 = 0
        for byte in self {
            switch byte {
            case 0..<0x20, 0x7f: size += 6
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): size += 2
            // The two bytes of U+0080 to U+009F become six.
            case 0x80..<0xa0 where before == 0xc2: size += 5
            default: size += 1
            }
            before = byte
        }
        return size
    }

    /// The bytes as text; invalid UTF-8 is replaced.
    var text: String { String(decoding: self, as: UTF8.self) }
}
