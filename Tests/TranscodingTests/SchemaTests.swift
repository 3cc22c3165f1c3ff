import Contracts
import RPC
import SwiftProtobuf
import Testing

@testable import Transcoding

@Suite("Schema")
struct SchemaTests {
    @Test("it says of every message what the descriptors say: names, numbers, types, presence")
    func matches() throws {
        let set = try Google_Protobuf_FileDescriptorSet(serializedBytes: DescriptorSet.contracts.bytes)
        for message in Transcoder.schema.messages {
            let descriptor = try #require(Self.descriptor(of: message.name, in: set))
            #expect(message.fields.map(\.name) == descriptor.field.map(\.name))
            for (field, expected) in zip(message.fields, descriptor.field) {
                #expect(field.jsonName == expected.jsonName && field.number == Int(expected.number))
                #expect(field.isRepeated == (expected.label == .repeated))
                #expect(field.hasPresence == expected.proto3Optional)
                #expect(Self.type(of: field) == Self.type(of: expected), "\(message.name).\(field.name)")
                for name in [field.name, field.jsonName] {
                    let index = Array(name.utf8).withUnsafeBytes { message.index(ofName: $0) }
                    #expect(index.map { message.fields[$0].number } == field.number)
                }
                #expect(message.place(ofNumber: field.number).map { message.fields[$0.index].name } == field.name)
            }
            let numbers = Set(message.fields.map(\.number))
            for number in [0, message.fields.count + 1, 1_000, Int.max] where !numbers.contains(number) {
                #expect(message.place(ofNumber: number)?.index == nil)
            }
        }
    }

    @Test(
        "the generated code says of every field what the descriptors say: whether it holds messages",
        arguments: [
            Consignment_Consignment.self, Consignment_GetRequest.self, Consignment_CancelRequest.self,
            Consignment_Response.self, Vessel_Vessel.self, Vessel_Specification.self, Vessel_GetRequest.self,
            Vessel_ListRequest.self, Vessel_UpdateRequest.self, Vessel_Reservation.self, Vessel_Response.self,
            User_User.self, User_Request.self, User_Response.self, User_Token.self, Email_UserCreated.self,
            Email_GetRequest.self, Email_Response.self, Grpc_Health_V1_HealthCheckRequest.self,
            Grpc_Health_V1_HealthCheckResponse.self, Otlp_ExportRequest.self, Otlp_ExportMetricsRequest.self,
            Otlp_ExportLogsRequest.self, Otlp_ExportResponse.self,
        ] as [any Message.Type])
    func shape(message: any Message.Type) throws {
        let set = try Google_Protobuf_FileDescriptorSet(serializedBytes: DescriptorSet.contracts.bytes)
        let shape = MessageShape(of: message)
        // By their place in the shape; one that contains itself is compared once.
        var names = [MessageShape.root: message.protoMessageName]
        var waiting = [MessageShape.root]
        while let type = waiting.popLast() {
            let name = try #require(names[type])
            let fields = try #require(Self.descriptor(of: name, in: set), "\(name)").field
            let largest = fields.map(\.number).max() ?? 0
            #expect(Int(largest) <= MessageShape.numberMax, "\(name)")
            for number in 0...MessageShape.numberMax {
                let field = fields.first { Int($0.number) == number && $0.type == .message }
                let nested = shape.type(ofField: UInt64(number), in: type)
                let (isMessage, isExpected) = (nested != nil, field != nil)
                #expect(isMessage == isExpected, "field \(number) of \(name)")
                guard let nested, let field else { continue }
                let nestedName = String(field.typeName.dropFirst())
                let known = names[nested]
                #expect(known == nil || known == nestedName)
                names[nested] = nestedName
                if known == nil { waiting.append(nested) }
            }
            #expect(shape.type(ofField: UInt64.max, in: type) == nil)
        }
    }

    private static func descriptor(
        of name: String, in set: Google_Protobuf_FileDescriptorSet
    ) -> Google_Protobuf_DescriptorProto? {
        for file in set.file {
            for message in file.messageType where "\(file.package).\(message.name)" == name { return message }
        }
        return nil
    }

    private static func type(of field: FieldSchema) -> String {
        switch field.kind {
        case .string: "string"
        case .bool: "bool"
        case .int32: "int32"
        case .int64: "int64"
        case .enumeration(let index): Transcoder.schema.enumeration(index).values.map(\.name).joined(separator: " ")
        case .message(let index): Transcoder.schema.message(index).name
        case .timestamp: "google.protobuf.Timestamp"
        case .fieldMask: "google.protobuf.FieldMask"
        }
    }

    private static func type(of field: Google_Protobuf_FieldDescriptorProto) -> String {
        switch field.type {
        case .string: return "string"
        case .bool: return "bool"
        case .int32: return "int32"
        case .int64: return "int64"
        case .enum:
            return switch field.typeName {
            case ".consignment.Consignment.Status": "STATUS_UNSPECIFIED BOOKED PENDING CANCELLED"
            case ".email.Status": "PENDING SENT FAILED"
            case ".grpc.health.v1.HealthCheckResponse.ServingStatus": "UNKNOWN SERVING NOT_SERVING SERVICE_UNKNOWN"
            default: field.typeName
            }
        default: return String(field.typeName.dropFirst())
        }
    }

    @Test("the public methods are those that the .proto files declare, in the order of their services")
    func publicMethods() {
        let services = Schema.contracts.publicServices
        #expect(services.map(\.name) == ["vessel.VesselService", "user.UserService", "consignment.ConsignmentService"])
        #expect(services.map(\.package) == ["vessel", "user", "consignment"])
        #expect(services.map(\.interface) == ["VesselService", "UserService", "ConsignmentService"])
        let aliases = services.map { service in service.alias.map { "\($0.package).\($0.interface)" } }
        #expect(aliases == [nil, UserMethods.alias, nil])
        let names = services.map { $0.methods.map(\.descriptor.name) }
        #expect(
            names == [
                ["Create", "FindAvailable", "Get", "List", "Update"],
                ["Create", "Get", "GetAll", "Auth", "ValidateToken"], ["Create", "Get", "Cancel"],
            ])
        #expect(!services.contains { $0.name.hasPrefix("email") || $0.name.hasPrefix("grpc") })
    }

    @Test("each public method is the one that services and clients know, and as idempotent")
    func methods() {
        func check<Request: Message, Response: Message>(_ method: RPC.Method<Request, Response>) {
            let found = Schema.contracts.publicServices.flatMap(\.methods).first { $0.descriptor.path == method.path }
            #expect(found?.descriptor.service == method.service && found?.descriptor.name == method.name)
            #expect(found?.descriptor.isIdempotent == method.isIdempotent, "\(method.path)")
            #expect(found?.descriptor.isProbe == false)
            #expect(found?.request.name == Request.protoMessageName)
            #expect(found?.response.name == Response.protoMessageName)
        }
        check(VesselMethods.create)
        check(VesselMethods.findAvailable)
        check(VesselMethods.get)
        check(VesselMethods.list)
        check(VesselMethods.update)
        check(UserMethods.create)
        check(UserMethods.get)
        check(UserMethods.getAll)
        check(UserMethods.auth)
        check(UserMethods.validateToken)
        check(ConsignmentMethods.create)
        check(ConsignmentMethods.get)
        check(ConsignmentMethods.cancel)
    }

    @Test("a name is found by its bytes alone, and nothing else is")
    func names() throws {
        let names = (0..<60).map { "field_\($0)" }
        let table = try NameTable(names.enumerated().map { ($1, $0) })
        func find(_ text: String) -> Int? { Array(text.utf8).withUnsafeBytes { table.value(of: $0) } }
        for (index, name) in names.enumerated() { #expect(find(name) == index) }
        for text in ["", "field", "field_60", "Field_1", "field_1\u{301}", String(repeating: "a", count: 65)] {
            #expect(find(text) == nil)
        }
        // Any text ends somewhere.
        for number in 0..<10_000 { #expect(find("x\(number)") == nil) }
        #expect(throws: SchemaError.self) { try NameTable([("a", 0), ("a", 1)]) }
        #expect(throws: SchemaError.self) { try NameTable([(String(repeating: "a", count: 65), 0)]) }
    }

    @Test("messages that can't be transcoded are errors, and so are descriptors that are none")
    func errors() throws {
        #expect(throws: SchemaError.self) {
            try Schema(fileDescriptorSet: DescriptorSet.contracts.bytes, others: ["otlp.KeyValue"])
        }
        #expect(throws: SchemaError.self) {
            try Schema(fileDescriptorSet: DescriptorSet.contracts.bytes, others: ["vessel.Ship"])
        }
        for length in stride(from: 1, to: DescriptorSet.contracts.bytes.count, by: 97) {
            // Cut between two files, it is shorter but well-formed.
            _ = try? Schema(fileDescriptorSet: Array(DescriptorSet.contracts.bytes.prefix(length)))
        }
        #expect(throws: MalformedMessage.self) {
            try Schema(fileDescriptorSet: Array(DescriptorSet.contracts.bytes.dropLast()))
        }
    }
}

/// A message that is made of itself and has what none of ours has.
enum NodeSchema {
    static let schema: Schema = {
        var file = Google_Protobuf_FileDescriptorProto()
        file.name = "node.proto"
        file.package = "test"
        file.syntax = "proto3"
        func field(
            _ name: String, _ number: Int32, _ type: Google_Protobuf_FieldDescriptorProto.TypeEnum,
            repeated: Bool = false, of typeName: String = ""
        ) -> Google_Protobuf_FieldDescriptorProto {
            .with {
                $0.name = name
                $0.jsonName = name
                $0.number = number
                $0.type = type
                $0.label = repeated ? .repeated : .optional
                if !typeName.isEmpty { $0.typeName = typeName }
            }
        }
        file.enumType = [
            .with {
                $0.name = "Color"
                $0.value = [
                    .with { ($0.name, $0.number) = ("RED", 0) }, .with { ($0.name, $0.number) = ("GREEN", 1) },
                ]
            }
        ]
        file.messageType = [
            .with {
                $0.name = "Node"
                $0.field = [
                    field("child", 1, .message, of: ".test.Node"), field("numbers", 2, .int32, repeated: true),
                    field("colors", 3, .enum, repeated: true, of: ".test.Color"),
                    field("children", 4, .message, repeated: true, of: ".test.Node"),
                    field("texts", 5, .string, repeated: true), field("far", 200, .int64),
                ]
            }
        ]
        do {
            let bytes: [UInt8] = try Google_Protobuf_FileDescriptorSet.with { $0.file = [file] }.serializedBytes()
            return try Schema(fileDescriptorSet: bytes, others: ["test.Node"])
        } catch {
            preconditionFailure("\(error)")
        }
    }()

    static var node: MessageSchema { schema.messages[0] }

    /// A node in a node, and so on.
    static func nested(depth: Int) -> String {
        String(repeating: "{\"child\":", count: depth) + "{}" + String(repeating: "}", count: depth)
    }
}
