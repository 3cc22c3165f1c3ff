import NIOCore
import RPC

extension Envelope {
    /// Reads the same three fields from an `application/x-www-form-urlencoded` body; `request` is JSON text.
    init(form body: ByteBuffer) throws {
        var fields = Fields()
        try body.withUnsafeReadableBytes { bytes in
            for pair in bytes.split(separator: UInt8(ascii: "&")) {
                let mark = pair.firstIndex(of: UInt8(ascii: "="))
                let name = try Self.decoded(pair[pair.startIndex..<(mark ?? pair.endIndex)])
                let value = try Self.decoded(mark.map { pair[($0 + 1)...] } ?? pair[pair.endIndex...])
                let field = String(decoding: name, as: UTF8.self)
                if field.hasSameBytes(as: "service") {
                    try fields.set(service: ByteBuffer(bytes: value))
                } else if field.hasSameBytes(as: "method") {
                    try fields.set(method: ByteBuffer(bytes: value))
                } else if field.hasSameBytes(as: "request") {
                    try fields.set(requestText: ByteBuffer(bytes: value))
                } else {
                    throw Fields.unknown(field)
                }
            }
        }
        self = try fields.envelope()
    }

    /// Resolves `+` and `%XX` (WHATWG URL standard, "application/x-www-form-urlencoded parsing").
    private static func decoded(_ text: Slice<UnsafeRawBufferPointer>) throws -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var at = text.startIndex
        while at < text.endIndex {
            switch text[at] {
            case UInt8(ascii: "+"):
                result.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard at + 2 < text.endIndex, let high = hexadecimal(text[at + 1]),
                    let low = hexadecimal(text[at + 2])
                else { throw GatewayError(400, "the form has a % without two hexadecimal digits") }
                result.append(high << 4 | low)
                at += 2
            case let byte:
                result.append(byte)
            }
            at += 1
        }
        return result
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
