/// Comparisons of raw bytes with literals, so that header fields are recognised without making strings.
extension UnsafeRawBufferPointer {
    package func equals(_ literal: StaticString) -> Bool {
        guard count == literal.utf8CodeUnitCount else { return false }
        return starts(literal)
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
    /// `application/grpc+json`.
    /// Source: gRPC over HTTP/2, "Content-Type".
    var isGRPCMediaType: Bool {
        guard hasPrefix("application/grpc") else { return false }
        let rest = UnsafeRawBufferPointer(rebasing: dropFirst("application/grpc".utf8.count))
        // text: raw bytes, not strings.
        return rest.isEmpty || rest[0] == UInt8(ascii: ";") || rest.equals("+proto") || rest.hasPrefix("+proto;")
    }

    /// The bytes as text; invalid UTF-8 is replaced.
    var text: String { String(decoding: self, as: UTF8.self) }
}
