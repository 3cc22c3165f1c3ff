import RPC

/// Writes a protobuf message as JSON, from its bytes and with no object in between.
///
/// Names are in snake_case; what has its default value is left out, unless the field says whether it is there. Unknown
/// fields are left out. A field that occurs more often than once counts as protobuf says: the last value, messages merged.
/// Source: Protocol Buffers, "Encoding" and "ProtoJSON Format".
package struct WireToJSON {
    private let schema: Schema
    private var out: [UInt8] = []

    private init(schema: Schema) {
        self.schema = schema
    }

    /// - Parameters:
    ///   - message: one of the schema's.
    ///   - capacity: bytes of JSON to expect.
    /// - Throws: ``MalformedMessage`` for bytes that are no such message, and for what JSON can't express.
    package static func encode(
        _ bytes: UnsafeRawBufferPointer, as message: MessageSchema, of schema: Schema, capacity: Int = 0
    ) throws(MalformedMessage) -> [UInt8] {
        var encoder = WireToJSON(schema: schema)
        encoder.out.reserveCapacity(capacity > 0 ? capacity : bytes.count * 2 + 64)
        try encoder.message(bytes, message, depth: 0)
        return encoder.out
    }

    // MARK: Messages

    private mutating func message(
        _ bytes: UnsafeRawBufferPointer, _ message: MessageSchema, depth: Int
    ) throws(MalformedMessage) {
        guard depth < JSONCursor.depthMax else { throw MalformedMessage() }
        if try Repetition.isWrittenInOrder(bytes, message) {
            try fields(of: bytes, message, depth: depth)
            return
        }
        let merged = try Repetition.merged(bytes, message)
        let result = merged.withUnsafeBytes { merged -> Result<Void, MalformedMessage> in
            do throws(MalformedMessage) {
                return .success(try fields(of: merged, message, depth: depth))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Writes a message's fields in the order of its bytes, which have the elements of a list side by side and everything
    /// else once.
    private mutating func fields(
        of bytes: UnsafeRawBufferPointer, _ message: MessageSchema, depth: Int
    ) throws(MalformedMessage) {
        var members = Members()
        var reader = WireReader(bytes)
        out.append(UInt8(ascii: "{"))
        while let tag = try reader.next() {
            guard let place = message.place(ofNumber: tag.number), place.accepts(tag.type) else {
                try reader.skip(tag)
                continue
            }
            let index = place.index
            let field = message.fields[index]
            guard tag.type == place.wireType else {
                var packed = WireReader(try reader.content())
                while packed.offset < packed.bytes.count {
                    begin(field, index, &members)
                    write(try packed.varint(), field.kind)
                }
                continue
            }
            switch place.wireType {
            case .varint:
                let value = try reader.varint()
                guard field.isRepeated || field.hasPresence || !Self.isDefault(value, field.kind) else { continue }
                begin(field, index, &members)
                write(value, field.kind)
            default:
                let content = try reader.content()
                if field.kind == .string, content.isEmpty, !field.isRepeated, !field.hasPresence { continue }
                begin(field, index, &members)
                try write(content, field.kind, depth: depth)
            }
        }
        if members.openList != nil { out.append(UInt8(ascii: "]")) }
        out.append(UInt8(ascii: "}"))
    }

    /// What an object has so far.
    private struct Members {
        var isEmpty = true
        /// Index of the field whose list is not closed.
        var openList: Int?
    }

    /// Writes what comes before a value: a comma, a name, a bracket.
    private mutating func begin(_ field: FieldSchema, _ index: Int, _ members: inout Members) {
        if members.openList == index {
            out.append(UInt8(ascii: ","))
            return
        }
        if members.openList != nil {
            out.append(UInt8(ascii: "]"))
            members.openList = nil
        }
        out.append(contentsOf: members.isEmpty ? field.jsonKey[1...] : field.jsonKey[...])
        members.isEmpty = false
        if field.isRepeated {
            out.append(UInt8(ascii: "["))
            members.openList = index
        }
    }

    // MARK: Values

    private static func isDefault(_ value: UInt64, _ kind: FieldSchema.Kind) -> Bool {
        // Of 64 bits an int32 has the lower ones.
        kind == .int32 || kind.isEnumeration ? UInt32(truncatingIfNeeded: value) == 0 : value == 0
    }

    private mutating func write(_ value: UInt64, _ kind: FieldSchema.Kind) {
        switch kind {
        case .bool:
            if value == 0 { out.append(literal: "false") } else { out.append(literal: "true") }
        case .int32:
            out.appendDecimal(Int64(Int32(truncatingIfNeeded: value)))
        case .int64:
            // As a text: not every reader of JSON has whole numbers of 64 bits.
            out.append(UInt8(ascii: "\""))
            out.appendDecimal(Int64(truncatingIfNeeded: value))
            out.append(UInt8(ascii: "\""))
        case .enumeration(let index):
            let number = Int32(truncatingIfNeeded: value)
            guard let known = schema.enums[index].value(number) else {
                out.appendDecimal(Int64(number))
                return
            }
            out.append(UInt8(ascii: "\""))
            out.append(contentsOf: known.nameBytes)
            out.append(UInt8(ascii: "\""))
        case .string, .message, .timestamp, .fieldMask:
            // These are no varints on the wire.
            break
        }
    }

    private mutating func write(
        _ content: UnsafeRawBufferPointer, _ kind: FieldSchema.Kind, depth: Int
    ) throws(MalformedMessage) {
        switch kind {
        case .string: try out.appendJSONText(content)
        case .message(let index): try message(content, schema.messages[index], depth: depth + 1)
        case .timestamp: try TimestampText.write(try Self.time(content), to: &out)
        case .fieldMask: try FieldMaskText.write(content, to: &out)
        case .bool, .int32, .int64, .enumeration: break
        }
    }

    private static func time(_ bytes: UnsafeRawBufferPointer) throws(MalformedMessage) -> TimestampText.Time {
        var time = TimestampText.Time(seconds: 0, nanos: 0)
        var reader = WireReader(bytes)
        while let tag = try reader.next() {
            switch (tag.number, tag.type) {
            case (1, .varint): time.seconds = Int64(truncatingIfNeeded: try reader.varint())
            case (2, .varint): time.nanos = Int32(truncatingIfNeeded: try reader.varint())
            default: try reader.skip(tag)
            }
        }
        return time
    }
}

extension FieldSchema.Kind {
    fileprivate var isEnumeration: Bool {
        if case .enumeration = self { true } else { false }
    }
}

extension FieldSchema {
    /// Whether its values are one message when there are several.
    fileprivate var isMerged: Bool { !isRepeated && wireType == .lengthDelimited && kind != .string }
}

/// Fields that occur more often than once, which hardly any sender writes.
private enum Repetition {
    /// Whether each field occurs once, but for lists, whose elements come one after the other.
    static func isWrittenInOrder(
        _ bytes: UnsafeRawBufferPointer, _ message: MessageSchema
    ) throws(MalformedMessage) -> Bool {
        var reader = WireReader(bytes)
        var seen: UInt64 = 0
        var last = -1
        while let tag = try reader.next() {
            try reader.skip(tag)
            guard let place = message.place(ofNumber: tag.number), place.accepts(tag.type) else { continue }
            let bit: UInt64 = 1 << UInt64(place.index)
            if seen & bit != 0, !place.isRepeated || place.index != last { return false }
            seen |= bit
            last = place.index
        }
        return true
    }

    /// The message in order: of lists all elements, of messages all their fields, of everything else the last value. One
    /// pass over the bytes for each field.
    static func merged(
        _ bytes: UnsafeRawBufferPointer, _ message: MessageSchema
    ) throws(MalformedMessage) -> [UInt8] {
        var merged: [UInt8] = []
        merged.reserveCapacity(bytes.count)
        for (index, field) in message.fields.enumerated() {
            let start = merged.count
            // Where the content of a message begins that further ones are added to.
            var content: Int?
            var reader = WireReader(bytes)
            while let tag = try reader.next() {
                let valueStart = reader.offset
                try reader.skip(tag)
                guard let place = message.place(ofNumber: tag.number), place.index == index, place.accepts(tag.type)
                else { continue }
                var value = UnsafeRawBufferPointer(rebasing: bytes[valueStart..<reader.offset])
                if field.isMerged || field.kind == .string {
                    var length = WireReader(value)
                    let inside = try length.content()
                    // The message is malformed even if another text takes this one's place.
                    guard field.isMerged || inside.isUTF8 else { throw MalformedMessage() }
                    if field.isMerged { value = inside }
                }
                if content == nil {
                    if !field.isRepeated { merged.removeSubrange(start...) }
                    merged.appendTag(field.number, tag.type)
                    if field.isMerged { content = merged.beginContent() }
                }
                merged.append(contentsOf: value)
            }
            if let content { merged.endContent(at: content) }
        }
        return merged
    }
}
