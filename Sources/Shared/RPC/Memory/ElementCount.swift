/// Counts the elements of a protobuf message before it is decoded.
///
/// An empty message in a repeated field takes two bytes on the wire and a hundred as an object. One pass over the
/// bytes: each length-delimited field counts, and is scanned if the message's shape says that it holds a message. A
/// text is one element whatever its bytes read like, and so is an unknown field, which is not made into an object.
/// Source: Protocol Buffers, "Encoding".
package enum ElementCount {
    /// Deepest nesting that is scanned: that which SwiftProtobuf decodes by default.
    static let depthMax = 100
    /// Size from which messages are counted, in bytes; shorter ones hold little in any case.
    package static let bytesMin = 4 * 1024

    /// Number of length-delimited fields at all depths; stops counting just above `max`.
    package static func count(_ bytes: UnsafeRawBufferPointer, of shape: MessageShape, max: Int) -> Int {
        var count = 0
        var at = 0
        var end = bytes.count
        var type = MessageShape.root
        // The enclosing messages, the innermost last: where each ends, and its type.
        var outer: [(end: Int, type: Int)] = []
        while true {
            if at >= end {
                guard let next = outer.popLast() else { return count }
                at = end
                end = next.end
                type = next.type
                continue
            }
            guard let tag = varint(bytes, &at, end) else {
                at = end
                continue
            }
            switch tag & 7 {
            case 0: if varint(bytes, &at, end) == nil { at = end }
            case 1: at += 8
            case 5: at += 4
            case 2:
                guard let length = varint(bytes, &at, end), length <= UInt64(end - at) else {
                    at = end
                    continue
                }
                count += 1
                if count > max { return count }
                if length > 0, outer.count < depthMax, let nested = shape.type(ofField: tag >> 3, in: type) {
                    outer.append((end, type))
                    end = at + Int(length)
                    type = nested
                } else {
                    at += Int(length)
                }
            // Start and end of a group: its fields count with those around it.
            case 3, 4: break
            default: at = end
            }
        }
    }

    /// A varint; `nil` when it is cut short or too long.
    private static func varint(_ bytes: UnsafeRawBufferPointer, _ at: inout Int, _ end: Int) -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while at < end, shift < 64 {
            let byte = bytes[at]
            at += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }
}
