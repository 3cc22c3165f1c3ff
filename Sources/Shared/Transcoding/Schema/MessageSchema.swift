/// A message as its .proto file describes it, ready to be looked up by field number and by name.
///
/// A class, as are its fields: who walks through messages takes references and copies nothing.
package final class MessageSchema: Sendable {
    /// The full name, such as `vessel.Vessel`.
    package let name: String
    /// In the order of the .proto file.
    package let fields: [FieldSchema]
    /// By number; `nil` where there is none.
    private let places: [Place?]
    private let names: NameTable

    /// Where a field is, and what it looks like on the wire: all that readers need who only step over it. Plain values, to be
    /// copied without counting references.
    struct Place: Sendable {
        /// In ``fields``.
        let index: Int
        /// How its values are written on the wire, one by one.
        let wireType: WireReader.WireType
        let isRepeated: Bool

        /// Whether a value of this type is one of the field, or several in one. Others are unknown to it.
        func accepts(_ type: WireReader.WireType) -> Bool {
            type == wireType || (isRepeated && type == .lengthDelimited)
        }
    }

    /// Largest number of fields: scanners keep the set of fields that they saw in one word.
    package static let fieldsMax = 64
    /// Largest number of a field: the table of numbers is dense.
    package static let numberMax = 255

    /// - Throws: ``SchemaError`` for a message that is larger than the limits.
    init(name: String, fields: [FieldSchema]) throws {
        guard fields.count <= Self.fieldsMax, fields.allSatisfy({ $0.number >= 1 && $0.number <= Self.numberMax })
        else {
            throw SchemaError("\(name) has more than \(Self.fieldsMax) fields, or numbers above \(Self.numberMax)")
        }
        self.name = name
        self.fields = fields
        var places = [Place?](repeating: nil, count: (fields.map(\.number).max() ?? 0) + 1)
        for (index, field) in fields.enumerated() {
            places[field.number] = Place(index: index, wireType: field.wireType, isRepeated: field.isRepeated)
        }
        self.places = places
        names = try NameTable(
            fields.enumerated().flatMap { index, field in
                field.name.utf8.elementsEqual(field.jsonName.utf8)
                    ? [(field.name, index)] : [(field.name, index), (field.jsonName, index)]
            })
    }

    /// The field with this number; `nil` when there is none.
    func place(ofNumber number: Int) -> Place? {
        number < places.count ? places[number] : nil
    }

    /// Index in ``fields`` of the field with this name, in snake_case or lowerCamelCase; `nil` when there is none.
    ///
    /// Compares bytes, so that no text from outside takes longer than another.
    package func index(ofName name: UnsafeRawBufferPointer) -> Int? {
        names.value(of: name)
    }
}

/// A field of a message.
package final class FieldSchema: Sendable {
    /// A field's type: those that the public contracts use.
    package enum Kind: Sendable, Equatable {
        case string
        case bool
        case int32
        case int64
        /// An index in the schema's enums.
        case enumeration(Int)
        /// An index in the schema's messages.
        case message(Int)
        /// google.protobuf.Timestamp, in JSON a text.
        case timestamp
        /// google.protobuf.FieldMask, in JSON a text.
        case fieldMask
    }

    package let number: Int
    /// The name in the .proto file, in snake_case.
    package let name: String
    /// The name of the protobuf JSON mapping, in lowerCamelCase.
    package let jsonName: String
    package let kind: Kind
    package let isRepeated: Bool
    /// Whether its default value differs from its absence.
    package let hasPresence: Bool
    /// What its values in JSON begin with: a comma, the name and a colon.
    let jsonKey: [UInt8]

    init(number: Int, name: String, jsonName: String, kind: Kind, isRepeated: Bool, hasPresence: Bool) {
        self.number = number
        self.name = name
        self.jsonName = jsonName
        self.kind = kind
        self.isRepeated = isRepeated
        self.hasPresence = hasPresence
        jsonKey = Array(",\"\(name)\":".utf8)
    }

    /// How its values are written on the wire, one by one.
    var wireType: WireReader.WireType {
        switch kind {
        case .bool, .int32, .int64, .enumeration: .varint
        case .string, .message, .timestamp, .fieldMask: .lengthDelimited
        }
    }
}

/// An enum: its values.
package final class EnumSchema: Sendable {
    package struct Value: Sendable {
        package let name: String
        package let number: Int32
        let nameBytes: [UInt8]
    }

    /// In the order of the .proto file.
    package let values: [Value]

    init(_ values: [(name: String, number: Int32)]) {
        self.values = values.map { Value(name: $0.name, number: $0.number, nameBytes: Array($0.name.utf8)) }
    }

    /// The value with this number, the first one that the .proto file has. There are few values.
    func value(_ number: Int32) -> Value? {
        values.first { $0.number == number }
    }

    func value(named name: UnsafeRawBufferPointer) -> Value? {
        values.first { name.count == $0.nameBytes.count && name.elementsEqual($0.nameBytes) }
    }
}

/// Why descriptors can't be served: an error in our own .proto files.
package struct SchemaError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Finds names by their UTF-8 bytes: a hash table that is made once and never changes.
struct NameTable: Sendable {
    /// A name in `bytes`. Plain values, as ``MessageSchema/Place``.
    private struct Entry: Sendable {
        let start: Int
        let count: Int
        let value: Int
    }

    /// Longest name, in bytes; longer text is not looked up.
    static let nameBytesMax = 64

    /// All names, one after the other.
    private let bytes: [UInt8]
    /// `nil` where there is none. More than half of them are.
    private let slots: [Entry?]

    /// - Throws: ``SchemaError`` for a name that is too long or occurs twice.
    init(_ names: [(name: String, value: Int)]) throws {
        var size = 4
        while size < 2 * names.count + 2 { size *= 2 }
        var slots = [Entry?](repeating: nil, count: size)
        var bytes: [UInt8] = []
        for (index, (name, value)) in names.enumerated() {
            let name = Array(name.utf8)
            guard name.count <= Self.nameBytesMax, !names[..<index].contains(where: { Array($0.name.utf8) == name })
            else { throw SchemaError("the name \(names[index].name) is too long, or occurs twice") }
            var slot = name.withUnsafeBytes(Self.hash) & (size - 1)
            while slots[slot] != nil { slot = (slot + 1) & (size - 1) }
            slots[slot] = Entry(start: bytes.count, count: name.count, value: value)
            bytes += name
        }
        self.slots = slots
        self.bytes = bytes
    }

    func value(of name: UnsafeRawBufferPointer) -> Int? {
        guard name.count <= Self.nameBytesMax else { return nil }
        let mask = slots.count - 1
        var slot = Self.hash(name) & mask
        // Ends at a free slot, and there are some.
        while let entry = slots[slot] {
            if entry.count == name.count, isEqual(name, from: entry.start) { return entry.value }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private func isEqual(_ name: UnsafeRawBufferPointer, from start: Int) -> Bool {
        for index in 0..<name.count where name[index] != bytes[start + index] { return false }
        return true
    }

    /// FNV-1a. Chosen names may well share a slot with one of ours; the chain behind it is as short as ever.
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        var hash: UInt32 = 0x811c_9dc5
        for byte in bytes { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        return Int(truncatingIfNeeded: hash)
    }
}
