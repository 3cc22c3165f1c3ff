import NIOCore

/// What an answer says that the load generator wants to know.
struct Response: Equatable, Sendable {
    var status: Int
    var hasRetryAfter = false
    /// Whether the server ends the connection after it.
    var closes = false
    /// Only where it was asked for.
    var body = ""
}

/// Takes HTTP/1.1 answers out of what a connection brings: those with a `Content-Length`, as the gateway sends them.
struct ResponseReader {
    /// Longest head, and longest body, in bytes.
    static let headMax = 65_536
    static let bodyMax = 64 * 1_024 * 1_024

    struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }

    /// Whether bodies are kept, up to ``bodyMax``.
    var keepsBody = false
    private var pending = ByteBuffer()
    /// The head that was read, and the bytes of its body that are to come.
    private var head: Response?
    private var bodyLeft = 0

    /// - Returns: an answer once it is complete.
    /// - Throws: ``Unreadable`` for what is no such answer; the connection is of no use then.
    mutating func read(_ bytes: inout ByteBuffer) throws(Unreadable) -> Response? {
        if head == nil {
            if pending.readableBytes > 0 {
                pending.writeBuffer(&bytes)
                bytes = pending
                pending = ByteBuffer()
            }
            guard let length = Self.headLength(bytes) else {
                guard bytes.readableBytes <= Self.headMax else { throw Unreadable(description: "a head without end") }
                pending = bytes
                bytes.moveReaderIndex(to: bytes.writerIndex)
                return nil
            }
            head = try readHead(&bytes, length)
        }
        let part = min(bodyLeft, bytes.readableBytes)
        if keepsBody, let text = bytes.getString(at: bytes.readerIndex, length: part) { head?.body += text }
        bytes.moveReaderIndex(forwardBy: part)
        bodyLeft -= part
        guard bodyLeft == 0 else { return nil }
        defer { head = nil }
        return head
    }

    /// Bytes up to and including the empty line.
    private static func headLength(_ bytes: ByteBuffer) -> Int? {
        bytes.withUnsafeReadableBytes { view in
            var index = 3
            // An empty line ends in a line feed: only those are looked at.
            while index < view.count {
                if view[index] == 10, view[index - 1] == 13, view[index - 2] == 10, view[index - 3] == 13 {
                    return index + 1
                }
                index += 1
            }
            return nil
        }
    }

    private mutating func readHead(_ bytes: inout ByteBuffer, _ length: Int) throws(Unreadable) -> Response {
        guard let text = bytes.readString(length: length) else { throw Unreadable(description: "no head") }
        var lines = text.utf8.split(separator: 10).makeIterator()
        // "HTTP/1.1 200 OK"
        guard let first = lines.next(), first.starts(with: "HTTP/1.".utf8),
            let status = Int(String(first.dropFirst(9).prefix(3)) ?? ""), (200...599).contains(status)
        else { throw Unreadable(description: "no HTTP/1.1 answer") }
        var response = Response(status: status)
        var contentLength: Int?
        while let line = lines.next() {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let name = line[..<colon]
            if Self.equal(name, "content-length") {
                contentLength = Self.value(line, after: colon).flatMap { Int($0) }
            } else if Self.equal(name, "retry-after") {
                response.hasRetryAfter = true
            } else if Self.equal(name, "connection") {
                response.closes = Self.value(line, after: colon)?.lowercased() == "close"
            }
        }
        if status == 204 || status == 304 { contentLength = 0 }
        guard let contentLength, (0...Self.bodyMax).contains(contentLength) else {
            throw Unreadable(description: "an answer without a length")
        }
        bodyLeft = contentLength
        return response
    }

    private static func equal(_ name: Substring.UTF8View, _ lowercased: StaticString) -> Bool {
        guard name.count == lowercased.utf8CodeUnitCount else { return false }
        var index = 0
        for byte in name {
            let letter = (65...90).contains(byte) ? byte | 0x20 : byte
            guard letter == lowercased.utf8Start[index] else { return false }
            index += 1
        }
        return true
    }

    private static func value(_ line: Substring.UTF8View, after colon: Substring.UTF8View.Index) -> String? {
        String(line[line.index(after: colon)...].drop { $0 == 32 })?.trimmedEnd
    }
}

extension String {
    /// Without carriage returns, blanks and line feeds at its end.
    var trimmedEnd: String {
        var text = self[...]
        while let last = text.utf8.last, last == 13 || last == 32 || last == 10 { text = text.dropLast() }
        return String(text)
    }
}
