import NIOCore
import NIOHTTP1

/// Writes a response as HTTP/1.1 bytes, head and body in one buffer.
enum ResponseWriter {
    /// What the `connection` header says.
    enum Persistence {
        /// Nothing: in HTTP/1.1 a connection stays open.
        case implied
        /// Said to HTTP/1.0 peers.
        case keepAlive
        case close
    }

    /// A body of at least so many bytes is not copied behind its head but written as a buffer of its own.
    static let separateBodyBytesMin = 16 * 1024

    static let continueLine: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

    /// Writes the head, and the body unless it is large.
    /// - Returns: the large body, to be written after `buffer`.
    static func write(
        _ response: HTTPResponse, toHead: Bool, persistence: Persistence, date: String, into buffer: inout ByteBuffer
    ) -> ByteBuffer? {
        writeStatusLine(response.status, into: &buffer)
        for (name, value) in response.headers where isWritable(name: name, value: value) {
            buffer.writeString(name)
            buffer.writeStaticString(": ")
            buffer.writeString(value)
            buffer.writeStaticString("\r\n")
        }
        if let shared = response.shared { buffer.writeImmutableBuffer(shared.lines) }
        // RFC 9110 section 8.6: 1xx and 204 have no length, and a 304 would have to tell that of the 200.
        let hasLength = response.status != .noContent && response.status != .notModified
        if hasLength {
            buffer.writeStaticString("content-length: ")
            buffer.writeString(String(response.body.readableBytes))
            buffer.writeStaticString("\r\n")
        }
        buffer.writeStaticString("date: ")
        buffer.writeString(date)
        switch persistence {
        case .implied: buffer.writeStaticString("\r\n\r\n")
        case .keepAlive: buffer.writeStaticString("\r\nconnection: keep-alive\r\n\r\n")
        case .close: buffer.writeStaticString("\r\nconnection: close\r\n\r\n")
        }
        guard hasLength, !toHead else { return nil }
        if response.body.readableBytes >= separateBodyBytesMin { return response.body }
        buffer.writeImmutableBuffer(response.body)
        return nil
    }

    private static func writeStatusLine(_ status: HTTPResponseStatus, into buffer: inout ByteBuffer) {
        if status == .ok {
            buffer.writeStaticString("HTTP/1.1 200 OK\r\n")
            return
        }
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeString(String(status.code))
        buffer.writeStaticString(" ")
        buffer.writeString(status.reasonPhrase)
        buffer.writeStaticString("\r\n")
    }

    /// A header that could end its own line is left out: nothing a responder echoes may split a response. So is what
    /// the writer says itself.
    static func isWritable(name: String, value: String) -> Bool {
        for byte in value.utf8 where byte < 0x20 && byte != 0x09 || byte == 0x7f { return false }
        for byte in name.utf8 where byte <= 0x20 || byte == 0x7f || byte == UInt8(ascii: ":") { return false }
        switch name.utf8.count {
        case 0: return false
        case 4: return !name.isSameFieldName(as: "date")
        case 10: return !name.isSameFieldName(as: "connection")
        case 14: return !name.isSameFieldName(as: "content-length")
        case 17: return !name.isSameFieldName(as: "transfer-encoding")
        default: return true
        }
    }
}
