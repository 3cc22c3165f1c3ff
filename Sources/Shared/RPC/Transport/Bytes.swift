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

    /// The bytes as text; invalid UTF-8 is replaced.
    var text: String { String(decoding: self, as: UTF8.self) }
}
