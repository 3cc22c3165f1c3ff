import Contracts

/// Size of a message as JSON, and the number of its elements, computed from its wire bytes before it is decoded: a
/// control character is one byte there and six here.
struct AnswerSize {
    /// Upper bound of what the encoder writes.
    private(set) var jsonBytes: Int
    /// Texts and messages in it. The description tells them apart: a text that reads like fields is one text.
    private(set) var elements: Int

    /// Size from which answers are measured, in bytes; shorter ones are at most some tens of KiB as JSON.
    static let bytesMin = 4 * 1024
    /// Quotes, colon and comma of a member, in bytes.
    private static let memberBytes = 4
    /// Longest number without quotes, such as an int32, in bytes.
    private static let numberBytes = 11

    /// Longest value that is a number on the wire, in bytes.
    private static func valueBytes(_ field: MessageDescription.Field) -> Int {
        guard case .choice(_, let names) = field.kind else { return numberBytes }
        return max(numberBytes, 2 + (names.map(\.utf8CodeUnitCount).max() ?? 0))
    }

    /// Malformed bytes end the walk: they won't be encoded.
    init(_ bytes: UnsafeRawBufferPointer, as message: MessageDescription) {
        var walk = Walk(bytes: bytes)
        jsonBytes = walk.message(message, end: bytes.count)
        elements = walk.elements
    }

    private struct Walk {
        let bytes: UnsafeRawBufferPointer
        var at = 0
        var elements = 0

        /// Recursive, as deep as the descriptions are nested.
        mutating func message(_ description: MessageDescription, end: Int) -> Int {
            var size = 2
            while at < end {
                guard let tag = varint(end) else { break }
                let index = Int(truncatingIfNeeded: tag >> 3) - 1
                let field = description.fields.indices.contains(index) ? description.fields[index] : nil
                if let field { size += field.name.utf8.count + AnswerSize.memberBytes + AnswerSize.valueBytes(field) }
                switch tag & 7 {
                case 0: if varint(end) == nil { at = end }
                case 1: at += 8
                case 5: at += 4
                case 2:
                    guard let length = varint(end), length <= UInt64(max(0, end - at)) else {
                        at = end
                        break
                    }
                    let next = at + Int(length)
                    if field != nil { elements += 1 }
                    switch field?.kind {
                    case .message(let inner)?: size += message(inner, end: next)
                    // As JSON a text of up to 30 characters.
                    case .timestamp?: size += 32
                    case nil: break
                    default: size += AnswerSize.escapedBytes(bytes[at..<next])
                    }
                    at = next
                default: at = end
                }
            }
            at = end
            return size
        }

        private mutating func varint(_ end: Int) -> UInt64? {
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

    /// Size of a text between its quotes. The two bytes of U+0080 to U+009F become six, too.
    private static func escapedBytes(_ text: Slice<UnsafeRawBufferPointer>) -> Int {
        var size = 0
        var before: UInt8 = 0
        for byte in text {
            switch byte {
            case 0..<0x20, 0x7f: size += 6
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): size += 2
            case 0x80..<0xa0 where before == 0xc2: size += 5
            default: size += 1
            }
            before = byte
        }
        return size
    }
}
