/// google.protobuf.FieldMask as the JSON mapping has it: paths with commas between them, in lowerCamelCase.
///
/// Callers may write snake_case, too, as in the names of fields.
enum FieldMaskText {
    private static let comma = UInt8(ascii: ",")

    /// Number of the field that has the paths.
    private static let pathsNumber = 1

    /// Whether the text is empty or has no empty path and nothing that no path has.
    static func isValid(_ text: UnsafeRawBufferPointer) -> Bool {
        var isEmpty = true
        for byte in text {
            if byte == comma {
                guard !isEmpty else { return false }
                isEmpty = true
            } else {
                guard isPathByte(byte) || isUpper(byte) || byte == UInt8(ascii: "_") else { return false }
                isEmpty = false
            }
        }
        return text.isEmpty || !isEmpty
    }

    /// Writes the paths of a valid text as the message's fields, in snake_case.
    static func appendPaths(_ text: UnsafeRawBufferPointer, to wire: inout [UInt8]) {
        for path in text.split(separator: comma) {
            wire.appendTag(pathsNumber, .lengthDelimited)
            let start = wire.beginContent()
            for byte in path {
                if isUpper(byte) {
                    wire.append(UInt8(ascii: "_"))
                    wire.append(byte | 0x20)
                } else {
                    wire.append(byte)
                }
            }
            wire.endContent(at: start)
        }
    }

    /// Writes a mask with its quotes.
    ///
    /// - Throws: ``MalformedMessage`` for a path that lowerCamelCase can't express.
    static func write(_ mask: UnsafeRawBufferPointer, to out: inout [UInt8]) throws(MalformedMessage) {
        var reader = WireReader(mask)
        var isFirst = true
        out.append(UInt8(ascii: "\""))
        while let tag = try reader.next() {
            guard tag.number == pathsNumber, tag.type == .lengthDelimited else {
                try reader.skip(tag)
                continue
            }
            if !isFirst { out.append(comma) }
            isFirst = false
            try writePath(try reader.content(), to: &out)
        }
        out.append(UInt8(ascii: "\""))
    }

    private static func writePath(_ path: UnsafeRawBufferPointer, to out: inout [UInt8]) throws(MalformedMessage) {
        var isAfterUnderscore = false
        for byte in path {
            if isAfterUnderscore {
                guard isLower(byte) else { throw MalformedMessage() }
                out.append(byte & ~0x20)
                isAfterUnderscore = false
            } else if byte == UInt8(ascii: "_") {
                isAfterUnderscore = true
            } else {
                guard isPathByte(byte) else { throw MalformedMessage() }
                out.append(byte)
            }
        }
        guard !isAfterUnderscore else { throw MalformedMessage() }
    }

    private static func isPathByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "("), UInt8(ascii: ")"): true
        default: isLower(byte)
        }
    }

    private static func isLower(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }

    private static func isUpper(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
}
