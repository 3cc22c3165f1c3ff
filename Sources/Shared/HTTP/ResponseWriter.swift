import NIOCore

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
        write(response.headers, into: &buffer)
        if let shared = response.shared { write(shared.fields, into: &buffer) }
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

    private static func writeStatusLine(_ status: HTTPResponse.Status, into buffer: inout ByteBuffer) {
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

    /// Writes fields as they are, but for those that the server says itself.
    private static func write(_ fields: HTTPFields, into buffer: inout ByteBuffer) {
        guard fields.hasFieldsOfServer else {
            buffer.writeImmutableBuffer(fields.lines)
            return
        }
        fields.forEachField { name, value in
            guard HTTPFields.Name(name)?.isSetByServer != true else { return }
            buffer.writeBytes(name)
            buffer.writeStaticString(": ")
            buffer.writeBytes(value)
            buffer.writeStaticString("\r\n")
        }
    }
}
