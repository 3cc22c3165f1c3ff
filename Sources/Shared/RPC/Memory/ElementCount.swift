/// Counts what a protobuf message is made of before it is decoded.
///
/// An empty message in a repeated field takes two bytes on the wire and a hundred as an object. One pass over the bytes,
/// without a schema: each length-delimited field counts, and is looked into as if it were a message, for whether it is one
/// or a text the bytes do not tell. A text hardly ever reads as many fields before it stops making sense.
/// Source: Protocol Buffers, "Encoding".
package enum ElementCount {
    /// How deep it looks; no message of ours is nested deeper, and what a schema does not know is not made into objects.
    static let depthMax = 8
    /// Shorter messages are not counted, in bytes: whatever they hold, it is little.
    package static let bytesMin = 4 * 1024

    /// Length-delimited fields at all depths, or a little more than `max` as soon as there are more.
    package static func count(_ bytes: UnsafeRawBufferPointer, max: Int) -> Int {
        var count = 0
        var at = 0
        var end = bytes.count
        // Where the messages around this one end, the innermost last.
        var outer: [Int] = []
        outer.reserveCapacity(depthMax)
        while true {
            if at >= end {
                guard let next = outer.popLast() else { return count }
                at = end
                end = next
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
                if length > 0, outer.count < depthMax {
                    outer.append(end)
                    end = at + Int(length)
                } else {
                    at += Int(length)
                }
            // The start and end of a group: its fields count with those around it.
            case 3, 4: break
            default: at = end
            }
        }
    }

    /// `nil` for one that is cut short or too long.
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
