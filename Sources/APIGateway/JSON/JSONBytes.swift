import NIOCore
import SwiftProtobuf

/// JSON text in a `ByteBuffer`, which SwiftProtobuf reads in place and writes to: a request is decoded out of the
/// memory that it was read into.
struct JSONBytes: SwiftProtobufContiguousBytes, Sendable {
    var buffer: ByteBuffer

    init(_ buffer: ByteBuffer) {
        self.buffer = buffer
    }

    init(repeating value: UInt8, count: Int) {
        buffer = ByteBuffer(repeating: value, count: count)
    }

    init<Bytes: Sequence>(_ bytes: Bytes) where Bytes.Element == UInt8 {
        buffer = ByteBuffer(bytes: bytes)
    }

    var count: Int { buffer.readableBytes }

    func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try buffer.withUnsafeReadableBytes(body)
    }

    mutating func withUnsafeMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R {
        try buffer.withUnsafeMutableReadableBytes(body)
    }
}
