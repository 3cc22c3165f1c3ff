import SwiftProtobuf

/// Which fields of a message hold messages, at every depth: all that it takes to tell a message from a text in
/// protobuf's bytes.
///
/// Read off the generated code when a ``Method`` is made; looking a field up counts no references.
package struct MessageShape: Sendable {
    /// Largest number of a field that can hold messages. The table of numbers is dense.
    package static let numberMax = 255
    /// The type of the message itself.
    package static let root = 0
    private static let none: Int16 = -1

    /// For each type, ``root`` first, a row of all field numbers: the field's type, or ``none``. A type that contains
    /// itself refers to its own row.
    private let rows: [Int16]

    /// - Parameter message: a generated type without maps, groups and extensions.
    package init(of message: any Message.Type) {
        var types = [message]
        var rows: [Int16] = []
        var next = 0
        while next < types.count {
            let finder = MessageFieldFinder.find(in: types[next])
            var row = [Int16](repeating: Self.none, count: Self.numberMax + 1)
            for field in finder.found {
                let known = types.firstIndex { ObjectIdentifier($0) == ObjectIdentifier(field.type) }
                if known == nil { types.append(field.type) }
                row[field.number] = Int16(known ?? types.count - 1)
            }
            rows += row
            next += 1
        }
        self.rows = rows
    }

    /// The type of a field's messages; `nil` for texts, bytes and numbers, and for unknown fields.
    package func type(ofField number: UInt64, in type: Int) -> Int? {
        guard number <= UInt64(Self.numberMax) else { return nil }
        let found = rows[type * (Self.numberMax + 1) + Int(number)]
        return found == Self.none ? nil : Int(found)
    }
}

/// Offers a generated message one field number after the other, as a decoder does, and records the fields that ask for
/// a message. Leaves all values as they are.
private struct MessageFieldFinder: SwiftProtobuf.Decoder {
    private struct UnsupportedField: Error {}

    private var number = 0
    private(set) var found: [(number: Int, type: any Message.Type)] = []

    static func find(in type: any Message.Type) -> MessageFieldFinder {
        var finder = MessageFieldFinder()
        var message = type.init()
        do {
            try message.decodeMessage(decoder: &finder)
        } catch {
            // The types are part of the program, and a test makes the shape of each.
            preconditionFailure("\(type) has a map or a group")  // invariant: nothing here is from outside
        }
        return finder
    }

    mutating func nextFieldNumber() -> Int? {
        guard number < MessageShape.numberMax else { return nil }
        number += 1
        return number
    }

    // MARK: Messages

    mutating func decodeSingularMessageField<M: Message>(value: inout M?) throws { found.append((number, M.self)) }
    mutating func decodeRepeatedMessageField<M: Message>(value: inout [M]) throws { found.append((number, M.self)) }

    // MARK: What our contracts do not have

    mutating func decodeSingularGroupField<G: Message>(value: inout G?) throws { throw UnsupportedField() }
    mutating func decodeRepeatedGroupField<G: Message>(value: inout [G]) throws { throw UnsupportedField() }

    mutating func decodeMapField<KeyType, ValueType: MapValueType>(
        fieldType: _ProtobufMap<KeyType, ValueType>.Type,
        value: inout _ProtobufMap<KeyType, ValueType>.BaseType
    ) throws {
        throw UnsupportedField()
    }

    mutating func decodeMapField<KeyType, ValueType>(
        fieldType: _ProtobufEnumMap<KeyType, ValueType>.Type,
        value: inout _ProtobufEnumMap<KeyType, ValueType>.BaseType
    ) throws where ValueType.RawValue == Int {
        throw UnsupportedField()
    }

    mutating func decodeMapField<KeyType, ValueType>(
        fieldType: _ProtobufMessageMap<KeyType, ValueType>.Type,
        value: inout _ProtobufMessageMap<KeyType, ValueType>.BaseType
    ) throws {
        throw UnsupportedField()
    }

    mutating func decodeExtensionField(
        values: inout ExtensionFieldValueSet, messageType: any Message.Type, fieldNumber: Int
    ) throws {
        throw UnsupportedField()
    }

    // MARK: Texts, bytes and numbers; each function for the field with presence, too

    func handleConflictingOneOf() {}
    func decodeSingularFloatField<V>(value: inout V) {}
    func decodeRepeatedFloatField<V>(value: inout V) {}
    func decodeSingularDoubleField<V>(value: inout V) {}
    func decodeRepeatedDoubleField<V>(value: inout V) {}
    func decodeSingularInt32Field<V>(value: inout V) {}
    func decodeRepeatedInt32Field<V>(value: inout V) {}
    func decodeSingularInt64Field<V>(value: inout V) {}
    func decodeRepeatedInt64Field<V>(value: inout V) {}
    func decodeSingularUInt32Field<V>(value: inout V) {}
    func decodeRepeatedUInt32Field<V>(value: inout V) {}
    func decodeSingularUInt64Field<V>(value: inout V) {}
    func decodeRepeatedUInt64Field<V>(value: inout V) {}
    func decodeSingularSInt32Field<V>(value: inout V) {}
    func decodeRepeatedSInt32Field<V>(value: inout V) {}
    func decodeSingularSInt64Field<V>(value: inout V) {}
    func decodeRepeatedSInt64Field<V>(value: inout V) {}
    func decodeSingularFixed32Field<V>(value: inout V) {}
    func decodeRepeatedFixed32Field<V>(value: inout V) {}
    func decodeSingularFixed64Field<V>(value: inout V) {}
    func decodeRepeatedFixed64Field<V>(value: inout V) {}
    func decodeSingularSFixed32Field<V>(value: inout V) {}
    func decodeRepeatedSFixed32Field<V>(value: inout V) {}
    func decodeSingularSFixed64Field<V>(value: inout V) {}
    func decodeRepeatedSFixed64Field<V>(value: inout V) {}
    func decodeSingularBoolField<V>(value: inout V) {}
    func decodeRepeatedBoolField<V>(value: inout V) {}
    func decodeSingularStringField<V>(value: inout V) {}
    func decodeRepeatedStringField<V>(value: inout V) {}
    func decodeSingularBytesField<V>(value: inout V) {}
    func decodeRepeatedBytesField<V>(value: inout V) {}
    func decodeSingularEnumField<V>(value: inout V) {}
    func decodeRepeatedEnumField<V>(value: inout V) {}
}
