/// Writing protobuf messages into plain bytes.
extension [UInt8] {
    mutating func appendVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func appendTag(_ number: Int, _ type: WireReader.WireType) {
        appendVarint(UInt64(number) << 3 | UInt64(type.rawValue))
    }

    /// Begins a length-delimited content with room for a length of one byte, which most have.
    ///
    /// - Returns: where the content begins, for ``endContent(at:)``.
    mutating func beginContent() -> Int {
        append(0)
        return count
    }

    /// Writes the length of the content that began at `start` and ends here. One of 128 bytes or more is moved for it: at
    /// most once for each level of nesting.
    mutating func endContent(at start: Int) {
        let length = count - start
        guard length >= 0x80 else {
            self[start - 1] = UInt8(truncatingIfNeeded: length)
            return
        }
        var prefix: [UInt8] = []
        prefix.appendVarint(UInt64(length))
        replaceSubrange((start - 1)..<start, with: prefix)
    }
}
