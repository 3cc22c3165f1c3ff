import RPC

/// Size of a protobuf message as JSON, and the number of its elements, computed from its wire bytes before it is
/// written: a control character is one byte there and six here.
package struct JSONSize {
    /// Upper bound of what ``WireToJSON`` writes.
    package private(set) var jsonBytes: Int
    /// Texts and messages in it. The schema tells them apart: a text that reads like fields is one text.
    package private(set) var elements: Int

    /// Quotes, colon and comma of a member, in bytes.
    private static let memberBytes = 4
    /// Longest number, such as an int64 in quotes, in bytes.
    private static let numberBytes = 22
    /// Longest time with its quotes, in bytes.
    private static let timeBytes = 32

    /// Malformed bytes end the walk: they won't be written.
    package init(_ bytes: UnsafeRawBufferPointer, as message: MessageSchema, of schema: Schema) {
        var walk = Walk(schema: schema)
        jsonBytes = walk.message(bytes, message, depth: 0)
        elements = walk.elements
    }

    private struct Walk {
        let schema: Schema
        var elements = 0

        /// Recursive, as deep as the writer goes.
        mutating func message(_ bytes: UnsafeRawBufferPointer, _ message: MessageSchema, depth: Int) -> Int {
            guard depth < JSONCursor.depthMax else { return 0 }
            var size = 2
            var reader = WireReader(bytes)
            while let tag = try? reader.next() {
                guard let place = message.place(ofNumber: tag.number) else {
                    guard (try? reader.skip(tag)) != nil else { break }
                    continue
                }
                let field = message.fields[place.index]
                // Brackets of a list, at most for each element.
                size += field.jsonKey.count + JSONSize.memberBytes
                guard tag.type == .lengthDelimited else {
                    size += valueBytes(field.kind)
                    guard (try? reader.skip(tag)) != nil else { break }
                    continue
                }
                guard let content = try? reader.content() else { break }
                elements += 1
                switch field.kind {
                case .message(let index): size += self.message(content, schema.messages[index], depth: depth + 1)
                case .timestamp: size += JSONSize.timeBytes
                case .string, .fieldMask: size += content.escapedJSONBytes
                // Each byte may be a value, with a comma.
                case .bool, .int32, .int64, .enumeration: size += content.count * (valueBytes(field.kind) + 1)
                }
            }
            return size
        }

        /// Longest value that is a number on the wire, in bytes.
        private func valueBytes(_ kind: FieldSchema.Kind) -> Int {
            guard case .enumeration(let index) = kind else { return JSONSize.numberBytes }
            return schema.enums[index].values.reduce(JSONSize.numberBytes) { max($0, $1.nameBytes.count + 2) }
        }
    }
}
