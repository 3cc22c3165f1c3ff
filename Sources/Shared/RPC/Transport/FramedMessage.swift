import SwiftProtobuf

/// A serialized message behind its gRPC prefix (1 byte: compressed or not; 4 bytes: length, big endian), in one array.
///
/// SwiftProtobuf serializes straight into it, past the prefix, so that framing copies nothing.
/// Source: gRPC over HTTP/2, "Length-Prefixed-Message".
struct FramedMessage: SwiftProtobufContiguousBytes, Sendable {
    static let prefixLength = 5

    /// Prefix and message.
    private(set) var framed: [UInt8]

    init(repeating value: UInt8, count: Int) {
        framed = [UInt8](repeating: value, count: count + Self.prefixLength)
        writePrefix()
    }

    init<Bytes: Sequence>(_ bytes: Bytes) where Bytes.Element == UInt8 {
        framed = [0, 0, 0, 0, 0]
        framed.append(contentsOf: bytes)
        writePrefix()
    }

    private mutating func writePrefix() {
        let length = UInt32(truncatingIfNeeded: count)
        framed[0] = 0
        framed[1] = UInt8(truncatingIfNeeded: length >> 24)
        framed[2] = UInt8(truncatingIfNeeded: length >> 16)
        framed[3] = UInt8(truncatingIfNeeded: length >> 8)
        framed[4] = UInt8(truncatingIfNeeded: length)
    }

    /// The message's length without the prefix.
    var count: Int { framed.count - Self.prefixLength }

    func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try framed.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[Self.prefixLength...])) }
    }

    mutating func withUnsafeMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R {
        try framed.withUnsafeMutableBytes {
            try body(UnsafeMutableRawBufferPointer(rebasing: $0[Self.prefixLength...]))
        }
    }
}
