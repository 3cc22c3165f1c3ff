/// Counts the elements of a protobuf message before it is decoded.
///
/// An empty message in a repeated field takes two bytes on the wire and a hundred as an object. One pass over the
/// bytes: each length-delimited field counts, and is scanned if the message's shape says that it holds a message. A
/// text is one element whatever its bytes read like, and so is an unknown field, which is not made into an object.
/// Source: Protocol Buffers, "Encoding".
package enum ElementCount {
    /// Deepest nesting that is scanned: that which SwiftProtobuf decodes by default.
    static let depthMax = 100
    /// Smallest size of an element, in bytes: tag and length.
    static let elementBytesMin = 2

    /// A message around the one that is scanned. Lengths in gRPC have 32 bits.
    private struct Enclosing {
        var end: UInt32
        var type: Int16
    }

    /// Number of length-delimited fields at all depths; stops counting just above `max`. Allocates nothing.
    package static func count(_ bytes: UnsafeRawBufferPointer, of shape: MessageShape, max: Int) -> Int {
        // Less than 1 KiB: it is on the stack.
        withUnsafeTemporaryAllocation(of: Enclosing.self, capacity: depthMax) { outer in
            count(bytes, of: shape, max: max, outer: outer)
        }
    }

    /// - Parameter outer: room for the enclosing messages, the innermost last.
    private static func count(
        _ bytes: UnsafeRawBufferPointer, of shape: MessageShape, max: Int, outer: UnsafeMutableBufferPointer<Enclosing>
    ) -> Int {
        var count = 0
        var at = 0
        var end = bytes.count
        var type = MessageShape.root
        var depth = 0
        while true {
            if at >= end {
                guard depth > 0 else { return count }
                depth -= 1
                at = end
                end = Int(outer[depth].end)
                type = Int(outer[depth].type)
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
                if length > 0, depth < outer.count, let nested = shape.type(ofField: tag >> 3, in: type) {
                    outer.initializeElement(
                        at: depth, to: Enclosing(end: UInt32(clamping: end), type: Int16(clamping: type)))
                    depth += 1
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
