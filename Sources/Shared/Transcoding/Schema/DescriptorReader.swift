/// The parts of a FileDescriptorSet that transcoding needs, as plain values.
///
/// Source: google/protobuf/descriptor.proto, whose field numbers these are, and shippy/options.proto.
struct Descriptors {
    struct Message {
        var fields: [Field] = []
        var isMapEntry = false
    }

    struct Field {
        var name = ""
        var jsonName = ""
        var number = 0
        var label: UInt64 = 0
        var type: UInt64 = 0
        /// With a leading dot, as protoc writes it.
        var typeName = ""
        var isInOneof = false
        var isProto3Optional = false
    }

    struct Service {
        /// The full name.
        var name = ""
        var package = ""
        var alias = ""
        var position = 0
        var methods: [Method] = []
    }

    struct Method {
        var name = ""
        /// With a leading dot.
        var request = ""
        /// With a leading dot.
        var response = ""
        var idempotencyLevel: UInt64 = 0
        var isStreaming = false
        var isPublic = false
    }

    // text: names of our own messages, at the start.
    private(set) var messages: [String: Message] = [:]
    // text: names of our own enums, at the start.
    private(set) var enums: [String: [(name: String, number: Int32)]] = [:]
    private(set) var services: [Service] = []

    /// - Throws: ``MalformedMessage``.
    init(_ fileDescriptorSet: [UInt8]) throws {
        try fileDescriptorSet.withUnsafeBytes { bytes in
            try Self.forEachField(of: bytes) { number, value in
                if number == 1 { try readFile(value.bytes) }
            }
        }
    }

    /// A field's value.
    private enum Value {
        case number(UInt64)
        case bytes(UnsafeRawBufferPointer)

        var number: UInt64 {
            if case .number(let number) = self { number } else { 0 }
        }

        var bytes: UnsafeRawBufferPointer {
            if case .bytes(let bytes) = self { bytes } else { UnsafeRawBufferPointer(start: nil, count: 0) }
        }

        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    private static func forEachField(
        of bytes: UnsafeRawBufferPointer, _ body: (_ number: Int, Value) throws -> Void
    ) throws {
        var reader = WireReader(bytes)
        while let tag = try reader.next() {
            switch tag.type {
            case .varint: try body(tag.number, .number(try reader.varint()))
            case .lengthDelimited: try body(tag.number, .bytes(try reader.content()))
            default: try reader.skip(tag)
            }
        }
    }

    private mutating func readFile(_ bytes: UnsafeRawBufferPointer) throws {
        var package = ""
        try Self.forEachField(of: bytes) { number, value in
            if number == 2 { package = value.text }
        }
        let scope = package.isEmpty ? "" : ".\(package)"
        try Self.forEachField(of: bytes) { number, value in
            switch number {
            case 4: try readMessage(value.bytes, scope: scope)
            case 5: try readEnum(value.bytes, scope: scope)
            case 6:
                var service = try Self.service(value.bytes)
                service.package = package
                service.name = package.isEmpty ? service.name : "\(package).\(service.name)"
                services.append(service)
            default: break
            }
        }
    }

    private mutating func readMessage(_ bytes: UnsafeRawBufferPointer, scope: String) throws {
        var name = ""
        try Self.forEachField(of: bytes) { number, value in
            if number == 1 { name = value.text }
        }
        let full = "\(scope).\(name)"
        var message = Message()
        try Self.forEachField(of: bytes) { number, value in
            switch number {
            case 2: message.fields.append(try Self.field(value.bytes))
            case 3: try readMessage(value.bytes, scope: full)
            case 4: try readEnum(value.bytes, scope: full)
            case 7:
                try Self.forEachField(of: value.bytes) { number, value in
                    if number == 7 { message.isMapEntry = value.number != 0 }
                }
            default: break
            }
        }
        messages[full] = message
    }

    private mutating func readEnum(_ bytes: UnsafeRawBufferPointer, scope: String) throws {
        var name = ""
        var values: [(name: String, number: Int32)] = []
        try Self.forEachField(of: bytes) { number, value in
            switch number {
            case 1: name = value.text
            case 2:
                var entry = (name: "", number: Int32(0))
                try Self.forEachField(of: value.bytes) { number, value in
                    switch number {
                    case 1: entry.name = value.text
                    case 2: entry.number = Int32(truncatingIfNeeded: value.number)
                    default: break
                    }
                }
                values.append(entry)
            default: break
            }
        }
        enums["\(scope).\(name)"] = values
    }

    private static func field(_ bytes: UnsafeRawBufferPointer) throws -> Field {
        var field = Field()
        try forEachField(of: bytes) { number, value in
            switch number {
            case 1: field.name = value.text
            case 3: field.number = Int(Int32(truncatingIfNeeded: value.number))
            case 4: field.label = value.number
            case 5: field.type = value.number
            case 6: field.typeName = value.text
            case 9: field.isInOneof = true
            case 10: field.jsonName = value.text
            case 17: field.isProto3Optional = value.number != 0
            default: break
            }
        }
        return field
    }

    private static func service(_ bytes: UnsafeRawBufferPointer) throws -> Service {
        var service = Service()
        try forEachField(of: bytes) { number, value in
            switch number {
            case 1: service.name = value.text
            case 2: service.methods.append(try method(value.bytes))
            case 3:
                try forEachField(of: value.bytes) { number, value in
                    switch number {
                    // shippy.alias
                    case 50_001: service.alias = value.text
                    // shippy.position
                    case 50_002: service.position = Int(Int32(truncatingIfNeeded: value.number))
                    default: break
                    }
                }
            default: break
            }
        }
        return service
    }

    private static func method(_ bytes: UnsafeRawBufferPointer) throws -> Method {
        var method = Method()
        try forEachField(of: bytes) { number, value in
            switch number {
            case 1: method.name = value.text
            case 2: method.request = value.text
            case 3: method.response = value.text
            case 4:
                try forEachField(of: value.bytes) { number, value in
                    switch number {
                    case 34: method.idempotencyLevel = value.number
                    // shippy.public
                    case 50_001: method.isPublic = value.number != 0
                    default: break
                    }
                }
            case 5, 6: method.isStreaming = method.isStreaming || value.number != 0
            default: break
            }
        }
        return method
    }
}
