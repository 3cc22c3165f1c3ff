import RPC

/// Writes a message's JSON as protobuf, in one pass over the text and with no object in between.
///
/// Accepts the protobuf JSON mapping with names in snake_case or lowerCamelCase, and no field twice. While the text is
/// valid nothing is built but the wire bytes: the path of a problem is put together on the way out.
/// Source: Protocol Buffers, "ProtoJSON Format".
package struct JSONToWire {
    /// Longest text of a number, in bytes; no reasonable number is longer.
    static let numberBytesMax = 100
    /// Longest time, field mask or name of an enum's value, in bytes.
    static let shortTextBytesMax = 1_000

    private let schema: Schema
    private var cursor: JSONCursor
    private var wire: [UInt8]
    /// Elements, strings and messages so far.
    private var elements = 0

    private init(_ json: UnsafeRawBufferPointer, schema: Schema, prefixLength: Int) {
        self.schema = schema
        cursor = JSONCursor(json)
        wire = []
        // Names are longer in JSON than tags are on the wire.
        wire.reserveCapacity(prefixLength + json.count)
        wire.append(contentsOf: repeatElement(0, count: prefixLength))
    }

    /// - Parameters:
    ///   - message: one of the schema's.
    ///   - prefixLength: number of zeros to begin with, where the caller writes a prefix.
    package static func encode(
        _ json: UnsafeRawBufferPointer, as message: MessageSchema, of schema: Schema, prefixLength: Int = 0
    ) throws(JSONProblem) -> [UInt8] {
        var encoder = JSONToWire(json, schema: schema, prefixLength: prefixLength)
        try encoder.message(message, depth: 0)
        try encoder.cursor.expectEnd()
        return encoder.wire
    }

    private func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: cursor.bytes[range])
    }

    // MARK: Messages

    private mutating func message(_ message: MessageSchema, depth: Int) throws(JSONProblem) {
        guard depth < JSONCursor.depthMax else { throw JSONProblem(.wrong("nested too deep")) }
        guard cursor.take("{") else { throw JSONProblem(.wrong("expected an object")) }
        if cursor.take("}") { return }
        // One bit for each field, by its index.
        var seen: UInt64 = 0
        repeat {
            let name = try cursor.string()
            let index = try index(of: name, in: message)
            let field = message.fields[index]
            guard seen & 1 << UInt64(index) == 0 else { throw JSONProblem(.givenTwice).within(field: field.name) }
            seen |= 1 << UInt64(index)
            try cursor.expect(":")
            // In the JSON mapping null is a missing field.
            if cursor.take(word: "null") { continue }
            do throws(JSONProblem) {
                if field.isRepeated {
                    try array(of: field, depth: depth)
                } else {
                    try value(of: field, isWritten: field.hasPresence, depth: depth)
                }
            } catch {
                throw error.within(field: cursor.shown(name))
            }
        } while cursor.take(",")
        try cursor.expect("}")
    }

    /// Index of the field with this name, escapes resolved.
    private func index(of name: JSONCursor.Text, in message: MessageSchema) throws(JSONProblem) -> Int {
        let index: Int?
        if !name.hasEscapes {
            index = message.index(ofName: slice(name.range))
        } else if name.mayFit(in: NameTable.nameBytesMax) {
            let bytes = try cursor.unescaped(name)
            index = bytes.withUnsafeBytes { message.index(ofName: $0) }
        } else {
            index = nil
        }
        guard let index else {
            throw JSONProblem(.unknownField(message: message.name)).within(field: cursor.shown(name))
        }
        return index
    }

    private mutating func array(of field: FieldSchema, depth: Int) throws(JSONProblem) {
        guard cursor.take("[") else { throw JSONProblem(.wrong("expected an array")) }
        if cursor.take("]") { return }
        var index = 0
        repeat {
            do throws(JSONProblem) {
                try value(of: field, isWritten: true, depth: depth)
            } catch {
                throw error.within(element: index)
            }
            index += 1
        } while cursor.take(",")
        try cursor.expect("]")
    }

    // MARK: Values

    /// - Parameter isWritten: whether a default value is written, too.
    private mutating func value(of field: FieldSchema, isWritten: Bool, depth: Int) throws(JSONProblem) {
        elements += 1
        guard elements <= MessageLimits.elementsMax else { throw JSONProblem(.tooManyElements) }
        switch field.kind {
        case .string:
            try string(of: field, isWritten: isWritten)
        case .bool:
            let value = cursor.take(word: "true")
            guard value || cursor.take(word: "false") else { throw JSONProblem(.wrong("expected true or false")) }
            write(value ? 1 : 0, of: field, isWritten: isWritten)
        case .int32:
            write(try integer(.int32), of: field, isWritten: isWritten)
        case .int64:
            write(try integer(.int64), of: field, isWritten: isWritten)
        case .enumeration(let index):
            write(try enumeration(schema.enums[index]), of: field, isWritten: isWritten)
        case .timestamp:
            guard let time = try shortText(TimestampText.parse) else {
                throw JSONProblem(.wrong("expected a time such as 2026-01-31T09:05:00Z"))
            }
            wire.appendTag(field.number, .lengthDelimited)
            let start = wire.beginContent()
            write(time.seconds, number: 1)
            write(Int64(time.nanos), number: 2)
            wire.endContent(at: start)
        case .fieldMask:
            let valid = try shortText { text -> [UInt8]? in FieldMaskText.isValid(text) ? Array(text) : nil }
            guard let mask = valid else {
                throw JSONProblem(.wrong("expected names of fields with commas between them"))
            }
            wire.appendTag(field.number, .lengthDelimited)
            let start = wire.beginContent()
            mask.withUnsafeBytes { FieldMaskText.appendPaths($0, to: &wire) }
            wire.endContent(at: start)
        case .message(let index):
            wire.appendTag(field.number, .lengthDelimited)
            let start = wire.beginContent()
            try message(schema.messages[index], depth: depth + 1)
            wire.endContent(at: start)
        }
    }

    private mutating func write(_ value: Int64, of field: FieldSchema, isWritten: Bool) {
        guard isWritten || value != 0 else { return }
        wire.appendTag(field.number, .varint)
        wire.appendVarint(UInt64(bitPattern: value))
    }

    private mutating func write(_ value: Int64, number: Int) {
        guard value != 0 else { return }
        wire.appendTag(number, .varint)
        wire.appendVarint(UInt64(bitPattern: value))
    }

    private mutating func string(of field: FieldSchema, isWritten: Bool) throws(JSONProblem) {
        guard cursor.peek() == UInt8(ascii: "\"") else { throw JSONProblem(.wrong("expected a string")) }
        let text = try cursor.string()
        guard isWritten || !text.range.isEmpty else { return }
        wire.appendTag(field.number, .lengthDelimited)
        if !text.hasEscapes {
            let bytes = slice(text.range)
            guard text.isPlain || bytes.isUTF8 else { throw JSONProblem(.wrong("not UTF-8")) }
            wire.appendVarint(UInt64(bytes.count))
            wire.append(contentsOf: bytes)
            return
        }
        let start = wire.beginContent()
        var at = text.range.lowerBound
        let end = text.range.upperBound
        while at < end {
            // Escapes stand for whole characters, so the bytes between them must be whole, too.
            let next = cursor.bytes[at..<end].firstIndex(of: UInt8(ascii: "\\")) ?? end
            let bytes = slice(at..<next)
            guard bytes.isUTF8 else { throw JSONProblem(.wrong("not UTF-8")) }
            wire.append(contentsOf: bytes)
            at = next
            if at < end { wire.append(utf8Of: try cursor.escape(at: &at, end: end)) }
        }
        wire.endContent(at: start)
    }

    /// A name of the enum, or any number: enums are open.
    private mutating func enumeration(_ schema: EnumSchema) throws(JSONProblem) -> Int64 {
        guard cursor.peek() == UInt8(ascii: "\"") else { return try integer(.int32) }
        guard let value = try shortText(schema.value(named:)) else {
            throw JSONProblem(.wrong("expected one of \(schema.values.map(\.name).joined(separator: ", "))"))
        }
        return Int64(value.number)
    }

    /// What `parse` makes of a text, escapes resolved; `nil` for one that is longer than ``shortTextBytesMax``, too.
    private mutating func shortText<Value>(
        _ parse: (UnsafeRawBufferPointer) -> Value?
    ) throws(JSONProblem) -> Value? {
        guard cursor.peek() == UInt8(ascii: "\"") else { throw JSONProblem(.wrong("expected a string")) }
        let text = try cursor.string()
        guard text.hasEscapes else {
            return text.range.count <= Self.shortTextBytesMax ? parse(slice(text.range)) : nil
        }
        guard text.mayFit(in: Self.shortTextBytesMax) else { return nil }
        let bytes = try cursor.unescaped(text)
        return bytes.count <= Self.shortTextBytesMax ? bytes.withUnsafeBytes { parse($0) } : nil
    }
}

// MARK: - Numbers

extension JSONToWire {
    /// A type of whole numbers.
    private enum Integer {
        case int32
        case int64

        var name: String {
            switch self {
            case .int32: "int32"
            case .int64: "int64"
            }
        }

        var range: ClosedRange<Int64> {
            switch self {
            case .int32: Int64(Int32.min)...Int64(Int32.max)
            case .int64: Int64.min...Int64.max
            }
        }

        var expected: JSONProblem { JSONProblem(.wrong("expected an \(name)")) }

        var outOfRange: JSONProblem {
            JSONProblem(
                .wrong("out of range, expected an \(name) (\(range.lowerBound) to \(range.upperBound))"))
        }
    }

    /// A number, or one in quotes, which obeys the same grammar; `200`, `200.0` and `2e2` are the same whole number in the
    /// JSON mapping.
    private mutating func integer(_ type: Integer) throws(JSONProblem) -> Int64 {
        switch cursor.peek() ?? 0 {
        case UInt8(ascii: "\""):
            let text = try cursor.string()
            guard text.hasEscapes else { return try Self.integer(quoted: slice(text.range), type) }
            guard text.mayFit(in: Self.numberBytesMax) else { throw type.expected }
            let bytes = try cursor.unescaped(text)
            let result = bytes.withUnsafeBytes { bytes -> Result<Int64, JSONProblem> in
                do throws(JSONProblem) {
                    return .success(try Self.integer(quoted: bytes, type))
                } catch {
                    return .failure(error)
                }
            }
            return try result.get()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return try Self.integer(slice(try cursor.number()), type)
        default:
            throw type.expected
        }
    }

    private static func integer(quoted bytes: UnsafeRawBufferPointer, _ type: Integer) throws(JSONProblem) -> Int64 {
        var cursor = JSONCursor(bytes)
        // All of it, and without the space that may precede a number elsewhere.
        guard (try? cursor.number()) == 0..<bytes.count else { throw type.expected }
        return try integer(bytes, type)
    }

    /// - Parameter bytes: a number that obeys the grammar.
    private static func integer(_ bytes: UnsafeRawBufferPointer, _ type: Integer) throws(JSONProblem) -> Int64 {
        guard bytes.count <= numberBytesMax else { throw type.expected }
        let isNegative = bytes.first == UInt8(ascii: "-")
        // Negative, as there is one more of those.
        var value: Int64 = 0
        var isInRange = true
        for byte in bytes.dropFirst(isNegative ? 1 : 0) {
            let digit = byte &- UInt8(ascii: "0")
            // A point or an exponent.
            guard digit < 10 else { return try decimal(bytes, type) }
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (difference, isTooSmall) = product.subtractingReportingOverflow(Int64(digit))
            isInRange = isInRange && !isTooLarge && !isTooSmall
            value = difference
        }
        if !isNegative {
            isInRange = isInRange && value > Int64.min
            value = 0 &- value
        }
        guard isInRange, type.range.contains(value) else { throw type.outOfRange }
        return value
    }

    /// A number with a point or an exponent, which is rare for whole numbers: it need not be fast.
    private static func decimal(_ bytes: UnsafeRawBufferPointer, _ type: Integer) throws(JSONProblem) -> Int64 {
        guard let number = Double(String(decoding: bytes, as: UTF8.self)), number.isFinite, number == number.rounded()
        else { throw type.expected }
        guard let value = Int64(exactly: number), type.range.contains(value) else { throw type.outOfRange }
        return value
    }
}
