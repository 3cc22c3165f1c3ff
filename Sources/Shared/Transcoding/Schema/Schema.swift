import Contracts
import RPC

/// The services of a FileDescriptorSet and the messages that they take and answer. Made once, at the start.
package final class Schema: Sendable {
    /// A service, with all its methods.
    package struct Service: Sendable {
        /// The full name, such as `vessel.VesselService`.
        package let name: String
        /// The name without its package, such as `VesselService`.
        package let interface: String
        /// The package, which is the name that callers of the gateway use, such as `vessel`.
        package let package: String
        /// Another package and interface that callers know it by, such as `auth` and `Auth`.
        package let alias: (package: String, interface: String)?
        package let methods: [Method]
    }

    package struct Method: Sendable {
        package let descriptor: MethodDescriptor
        package let request: MessageSchema
        package let response: MessageSchema
    }

    /// The services with methods that callers of the gateway reach, and only those methods, in the order in which they are
    /// listed.
    package let publicServices: [Service]
    let messages: [MessageSchema]
    let enums: [EnumSchema]

    /// - Parameters:
    ///   - fileDescriptorSet: as protoc writes it, with all imports.
    ///   - others: full names of messages to know beside those of public methods.
    /// - Throws: ``MalformedMessage``; ``SchemaError`` for what can't be transcoded.
    package init(fileDescriptorSet: [UInt8], others: [String] = []) throws {
        let descriptors = try Descriptors(fileDescriptorSet)
        var builder = SchemaBuilder(descriptors)
        let services = descriptors.services.filter { $0.methods.contains(where: \.isPublic) }
        var found:
            [(service: Descriptors.Service, methods: [(method: Descriptors.Method, request: Int, response: Int)])] = []
        for service in services.sorted(by: { $0.position < $1.position }) {
            var methods: [(method: Descriptors.Method, request: Int, response: Int)] = []
            for method in service.methods where method.isPublic {
                guard !method.isStreaming else { throw SchemaError("\(service.name)/\(method.name) streams") }
                methods.append(
                    (
                        method, try builder.index(ofMessage: method.request),
                        try builder.index(ofMessage: method.response)
                    ))
            }
            found.append((service, methods))
        }
        for name in others { _ = try builder.index(ofMessage: ".\(name)") }
        let messages = try builder.messages()
        self.messages = messages
        enums = builder.enums
        publicServices = found.map { service, methods in
            let (package, interface) = Self.parts(of: service.name)
            return Service(
                name: service.name, interface: interface, package: package,
                alias: service.alias.isEmpty ? nil : Self.parts(of: service.alias),
                methods: methods.map { method, request, response in
                    Method(
                        descriptor: MethodDescriptor(
                            service: service.name, name: method.name, isIdempotent: method.idempotencyLevel != 0),
                        request: messages[request], response: messages[response])
                })
        }
    }

    /// A message by its full name, such as `vessel.Vessel`; `nil` when the schema has none.
    package func message(named name: String) -> MessageSchema? {
        messages.first { $0.name.hasSameBytes(as: name) }
    }

    /// The message of a field whose kind is ``FieldSchema/Kind/message(_:)`` with this index.
    package func message(_ index: Int) -> MessageSchema { messages[index] }

    /// The enum of a field whose kind is ``FieldSchema/Kind/enumeration(_:)`` with this index.
    package func enumeration(_ index: Int) -> EnumSchema { enums[index] }

    /// `vessel.VesselService` → `vessel` and `VesselService`.
    private static func parts(of name: String) -> (package: String, interface: String) {
        guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")) else { return ("", name) }
        return (String(name[..<dot]), String(name[name.utf8.index(after: dot)...]))
    }
}

extension Schema {
    /// That of Protos/.
    package static let contracts: Schema = {
        do {
            return try Schema(fileDescriptorSet: DescriptorSet.contracts.bytes)
        } catch {
            // The descriptors are part of the program, and a test reads them.
            preconditionFailure("the descriptors are unusable: \(error)")  // invariant: nothing here is from outside
        }
    }()
}

/// Numbers the messages and enums as they are met, so that they can refer to each other.
private struct SchemaBuilder {
    private let descriptors: Descriptors
    // text: names of our own messages, at the start.
    private var messageIndices: [String: Int] = [:]
    // text: names of our own enums, at the start.
    private var enumIndices: [String: Int] = [:]
    private var made: [MessageSchema?] = []
    private(set) var enums: [EnumSchema] = []

    private static let repeated: UInt64 = 3

    init(_ descriptors: Descriptors) {
        self.descriptors = descriptors
    }

    func messages() throws -> [MessageSchema] {
        try made.map { message in
            guard let message else { throw SchemaError("a message is not complete") }
            return message
        }
    }

    /// - Parameter name: with a leading dot.
    mutating func index(ofMessage name: String) throws -> Int {
        if let known = messageIndices[name] { return known }
        guard let descriptor = descriptors.messages[name] else { throw SchemaError("there is no message \(name)") }
        let index = made.count
        messageIndices[name] = index
        // Its place, as its fields may refer to it.
        made.append(nil)
        var fields: [FieldSchema] = []
        for field in descriptor.fields {
            let kind = try kind(of: field, in: name)
            guard !field.isInOneof || field.isProto3Optional else {
                throw SchemaError("\(name.dropFirst()).\(field.name) is in a oneof")
            }
            fields.append(
                FieldSchema(
                    number: field.number, name: field.name, jsonName: field.jsonName, kind: kind,
                    isRepeated: field.label == Self.repeated, hasPresence: field.isProto3Optional))
        }
        made[index] = try MessageSchema(name: String(name.dropFirst()), fields: fields)
        return index
    }

    private mutating func kind(of field: Descriptors.Field, in message: String) throws -> FieldSchema.Kind {
        // The numbers of FieldDescriptorProto.Type.
        switch field.type {
        case 3: return .int64
        case 5: return .int32
        case 8: return .bool
        case 9: return .string
        case 11:
            if field.typeName.hasSameBytes(as: ".google.protobuf.Timestamp") { return .timestamp }
            if field.typeName.hasSameBytes(as: ".google.protobuf.FieldMask") { return .fieldMask }
            // Others of google.protobuf have a JSON form of their own, and so have maps.
            if !field.typeName.startsWithBytes(".google.protobuf."),
                descriptors.messages[field.typeName]?.isMapEntry == false
            {
                return .message(try index(ofMessage: field.typeName))
            }
        case 14: return .enumeration(try index(ofEnum: field.typeName))
        default: break
        }
        throw SchemaError("\(message.dropFirst()).\(field.name) has a type that is not known here")
    }

    private mutating func index(ofEnum name: String) throws -> Int {
        if let known = enumIndices[name] { return known }
        guard let values = descriptors.enums[name] else { throw SchemaError("there is no enum \(name)") }
        enumIndices[name] = enums.count
        enums.append(EnumSchema(values))
        return enums.count - 1
    }
}
