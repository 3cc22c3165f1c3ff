import SwiftProtobuf

/// A message whose fields can be listed at run time, which the generated types can't do by themselves.
///
/// The gateway needs it to say which field of a request is wrong, and to list what it offers. A test compares every
/// description with the .proto files.
public protocol DescribedMessage: Message {
    static var messageDescription: MessageDescription { get }
}

/// What a message is made of, as its .proto file says it.
public struct MessageDescription: Sendable {
    /// A field's type. Only the types that the public contracts use.
    public indirect enum Kind: Sendable {
        case string
        case bool
        case int32
        /// An enum: the names of its values, and in the .proto file its type.
        case choice(type: String, names: [StaticString])
        /// google.protobuf.Timestamp, in JSON a text.
        case timestamp
        /// google.protobuf.FieldMask, in JSON a text.
        case fieldMask
        case message(MessageDescription)
    }

    public struct Field: Sendable {
        /// The name in the .proto file, in snake_case.
        public let name: String
        /// The name of the protobuf JSON mapping, in lowerCamelCase.
        public let jsonName: String
        public let kind: Kind
        public let isRepeated: Bool
        /// Both names as bytes, for comparison with what callers write.
        private let nameBytes: [UInt8]
        private let jsonNameBytes: [UInt8]

        fileprivate init(_ name: String, _ kind: Kind, isRepeated: Bool) {
            self.name = name
            self.jsonName = lowerCamelCase(name)
            self.kind = kind
            self.isRepeated = isRepeated
            nameBytes = Array(name.utf8)
            jsonNameBytes = Array(jsonName.utf8)
        }

        /// Whether this is one of the field's two names.
        func isNamed(_ bytes: UnsafeRawBufferPointer) -> Bool {
            bytes.elementsEqual(nameBytes) || bytes.elementsEqual(jsonNameBytes)
        }

        static func string(_ name: String) -> Field { Field(name, .string, isRepeated: false) }
        static func bool(_ name: String) -> Field { Field(name, .bool, isRepeated: false) }
        static func int32(_ name: String) -> Field { Field(name, .int32, isRepeated: false) }

        static func choice(_ name: String, _ type: String, _ names: [StaticString]) -> Field {
            Field(name, .choice(type: type, names: names), isRepeated: false)
        }

        static func timestamp(_ name: String) -> Field { Field(name, .timestamp, isRepeated: false) }
        static func fieldMask(_ name: String) -> Field { Field(name, .fieldMask, isRepeated: false) }
        static func strings(_ name: String) -> Field { Field(name, .string, isRepeated: true) }

        static func one<M: DescribedMessage>(_ name: String, _ type: M.Type) -> Field {
            Field(name, .message(type.messageDescription), isRepeated: false)
        }

        static func many<M: DescribedMessage>(_ name: String, _ type: M.Type) -> Field {
            Field(name, .message(type.messageDescription), isRepeated: true)
        }
    }

    /// The full name, such as `vessel.Vessel`.
    public let name: String
    /// In the order of the .proto file, which is that of their numbers: 1 and upwards without a gap.
    public let fields: [Field]

    /// Largest number of fields of a message: scanners keep the set of fields that they saw in one word.
    public static let fieldsMax = 64
    /// Bytes of the longest field name; longer text is not looked up.
    public static let nameBytesMax = 64

    /// Index in ``fields`` of the field with this name, in snake_case or lowerCamelCase; `nil` when there is none.
    ///
    /// Compares bytes, so that no text from outside takes longer than another.
    package func index(ofFieldNamed name: UnsafeRawBufferPointer) -> Int? {
        guard name.count <= Self.nameBytesMax else { return nil }
        // There are few fields: comparing beats hashing.
        return fields.firstIndex { $0.isNamed(name) }
    }

    init(_ name: String, _ fields: [Field]) {
        self.name = name
        self.fields = fields
    }
}

/// `max_weight` → `maxWeight`, as protoc does it.
private func lowerCamelCase(_ name: String) -> String {
    var result = ""
    var isUpper = false
    for character in name {
        if character == "_" {
            isUpper = true
        } else {
            result += isUpper ? character.uppercased() : String(character)
            isUpper = false
        }
    }
    return result
}
