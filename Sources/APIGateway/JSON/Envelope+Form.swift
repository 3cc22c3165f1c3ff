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

    private static func decoded(_ text: Slice<UnsafeRawBufferPointer>) throws -> [UInt8] {
        let decoded = PercentEncoding.decode(UnsafeRawBufferPointer(rebasing: text), plusIsSpace: true)
        guard let decoded else { throw GatewayError(400, "the form has a % without two hexadecimal digits") }
        return decoded
    }
}
