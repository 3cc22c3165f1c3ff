import SwiftProtobuf

/// A serialized message behind its gRPC prefix (1 byte: compressed or not; 4 bytes: length, big endian), in one array.
///
/// SwiftProtobuf serializes straight into it, past the prefix, so that framing copies nothing.
/// Source: gRPC over HTTP/2, "Length-Prefixed-Message".
package struct FramedMessage: SwiftProtobufContiguousBytes, Sendable {
    package static let prefixLength = 5

    /// Prefix and message.
    private(set) var framed: [UInt8]

    package init(repeating value: UInt8, count: Int) {
        framed = [UInt8](repeating: value, count: count + Self.prefixLength)
        writePrefix()
    }

    package init<Bytes: Sequence>(_ bytes: Bytes) where Bytes.Element == UInt8 {
        framed = [0, 0, 0, 0, 0]
        framed.append(contentsOf: bytes)
        writePrefix()
    }

    /// - Parameter bytes: a message behind ``prefixLength`` bytes, which become the prefix.
    package init(roomBefore bytes: [UInt8]) {
        precondition(bytes.count >= Self.prefixLength)
        framed = bytes
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
    package var count: Int { framed.count - Self.prefixLength }

    package func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try framed.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[Self.prefixLength...])) }
    }

    package mutating func withUnsafeMutableBytes<R>(
        _ body: (UnsafeMutableRawBufferPointer) throws -> R
    ) rethrows -> R {
        try framed.withUnsafeMutableBytes {
            try body(UnsafeMutableRawBufferPointer(rebasing: $0[Self.prefixLength...]))
        }
    }
}
