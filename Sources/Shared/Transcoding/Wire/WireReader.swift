import RPC

/// Bytes are not a message of their type.
package struct MalformedMessage: Error, Equatable {
    package init() {}
}

/// Reads the fields of a protobuf message in place, one after the other. Each step checks that it stays within the bytes.
///
/// The pointer is only lent: a reader lives inside the closure that lends it.
/// Source: Protocol Buffers, "Encoding".
struct WireReader {
    /// How a field's value is written.
    enum WireType: UInt8 {
        case varint = 0
        case fixed64 = 1
        case lengthDelimited = 2
        case startGroup = 3
        case endGroup = 4
        case fixed32 = 5
    }

    /// What a field begins with.
    struct Tag {
        let number: Int
        let type: WireType
    }

    /// Deepest nesting of groups, which only occur in unknown fields.
    private static let groupDepthMax = 64
    /// Longest tag, in bytes: a number of 29 bits and a type of three.
    private static let tagBytesMax = 5

    let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// The next field's tag; `nil` at the end of the message.
    mutating func next() throws(MalformedMessage) -> Tag? {
        offset < bytes.count ? try tag() : nil
    }

    private mutating func tag() throws(MalformedMessage) -> Tag {
        let start = offset
        let value = try varint()
        guard offset - start <= Self.tagBytesMax, value <= UInt64(UInt32.max), value >> 3 > 0,
            let type = WireType(rawValue: UInt8(truncatingIfNeeded: value & 7))
        else { throw MalformedMessage() }
        return Tag(number: Int(truncatingIfNeeded: value >> 3), type: type)
    }

    mutating func varint() throws(MalformedMessage) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while offset < bytes.count, shift < 64 {
            let byte = bytes[offset]
            offset += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw MalformedMessage()
    }

    /// The content of a length-delimited field.
    mutating func content() throws(MalformedMessage) -> UnsafeRawBufferPointer {
        let length = try varint()
        guard length <= UInt64(bytes.count - offset) else { throw MalformedMessage() }
        let start = offset
        offset += Int(truncatingIfNeeded: length)
        return UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
    }

    /// Steps over the value that follows `tag`.
    mutating func skip(_ tag: Tag) throws(MalformedMessage) {
        try skip(tag, depth: 0)
    }

    private mutating func skip(_ tag: Tag, depth: Int) throws(MalformedMessage) {
        switch tag.type {
        case .varint: _ = try varint()
        case .fixed64: try step(8)
        case .fixed32: try step(4)
        case .lengthDelimited: _ = try content()
        case .startGroup:
            guard depth < Self.groupDepthMax else { throw MalformedMessage() }
            while true {
                let inner = try self.tag()
                if inner.type == .endGroup {
                    guard inner.number == tag.number else { throw MalformedMessage() }
                    return
                }
                try skip(inner, depth: depth + 1)
            }
        case .endGroup: throw MalformedMessage()
        }
    }

    private mutating func step(_ count: Int) throws(MalformedMessage) {
        guard count <= bytes.count - offset else { throw MalformedMessage() }
        offset += count
    }
}

/// Reads one field of a message, for those who need no more of it.
package enum WireText {
    /// The text of a field of the message itself, the last one as everywhere; empty when there is none.
    ///
    /// - Throws: ``MalformedMessage`` for bytes that are no message, or a text that is not UTF-8.
    package static func text(
        ofField number: Int, in message: UnsafeRawBufferPointer
    ) throws(MalformedMessage) -> String {
        var text = ""
        var reader = WireReader(message)
        while let tag = try reader.next() {
            guard tag.number == number, tag.type == .lengthDelimited else {
                try reader.skip(tag)
                continue
            }
            let content = try reader.content()
            guard content.isUTF8 else { throw MalformedMessage() }
            text = String(decoding: content, as: UTF8.self)
        }
        return text
    }
}
