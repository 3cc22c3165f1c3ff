import NIOCore
import RPC

extension ByteBuffer {
    /// Appends `text` as a JSON string with its quotes (RFC 8259 section 7).
    ///
    /// - Parameter before: JSON that it follows.
    mutating func writeJSONString(_ text: String, after before: StaticString = "") {
        writeStaticString(before)
        writeInteger(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): writeStaticString("\\\"")
            case UInt8(ascii: "\\"): writeStaticString("\\\\")
            case 0x0a: writeStaticString("\\n")
            case 0x0d: writeStaticString("\\r")
            case 0x09: writeStaticString("\\t")
            case 0..<0x20, 0x7f:
                writeStaticString("\\u00")
                writeInteger(Hexadecimal.digit(byte >> 4))
                writeInteger(Hexadecimal.digit(byte & 0xf))
            default: writeInteger(byte)
            }
        }
        writeInteger(UInt8(ascii: "\""))
    }
}
