import RPC

/// Reads one field of a message, for those who need no more of it.
package enum WireText {
    /// The text of a field of the message itself, the last one as everywhere; empty when there is none.
    ///
    /// - Throws: ``MalformedMessage`` for bytes that are no message, or a text that is not UTF-8.
    package static func text(
        ofField number: Int, in message: UnsafeRawBufferPointer
    ) throws(MalformedMessage) -> String {
        var text = ""
        var reader = WireReader(message)
        while let tag = try reader.next() {
            guard tag.number == number, tag.type == .lengthDelimited else {
                try reader.skip(tag)
                continue
            }
            let content = try reader.content()
            guard content.isUTF8 else { throw MalformedMessage() }
            text = String(decoding: content, as: UTF8.self)
        }
        return text
    }
}
