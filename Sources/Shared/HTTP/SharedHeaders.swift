import NIOCore
import NIOHTTP1

/// Headers that many responses have alike, checked and written once, when this is made.
public final class SharedHeaders: Sendable {
    /// Names in lower case, as HTTP/2 wants them.
    let fields: [(name: String, value: String)]
    /// The same as lines of HTTP/1.1.
    let lines: ByteBuffer

    /// What could end its own line, and what the server says itself, is left out.
    public init(_ headers: HTTPHeaders) {
        let fields = headers.filter { ResponseWriter.isWritable(name: $0.name, value: $0.value) }
            .map { (name: $0.name.lowercased(), value: $0.value) }
        self.fields = fields
        var lines = ByteBuffer()
        for field in fields { lines.writeString("\(field.name): \(field.value)\r\n") }
        self.lines = lines
    }
}
