import Contracts
import Foundation
import Testing

@Suite("Descriptions of messages")
struct DescriptionTests {
    @Test(
        "they say what the .proto files say: names, types, order and numbers",
        arguments: [
            Vessel_Vessel.messageDescription, Vessel_Specification.messageDescription,
            Vessel_GetRequest.messageDescription, Vessel_ListRequest.messageDescription,
            Vessel_UpdateRequest.messageDescription, Consignment_CancelRequest.messageDescription,
            Vessel_Response.messageDescription, User_User.messageDescription, User_Request.messageDescription,
            User_Response.messageDescription, User_Token.messageDescription, User_Error.messageDescription,
            Consignment_Consignment.messageDescription, Consignment_Container.messageDescription,
            Consignment_GetRequest.messageDescription, Consignment_Response.messageDescription,
        ])
    func match(description: MessageDescription) throws {
        let parts = description.name.components(separatedBy: ".")
        let fields = description.fields.enumerated().map { index, field in
            let type =
                switch field.kind {
                case .string: "string"
                case .bool: "bool"
                case .int32: "int32"
                case .choice(let type, _): type
                case .timestamp: "google.protobuf.Timestamp"
                case .fieldMask: "google.protobuf.FieldMask"
                case .message(let message): message.name.components(separatedBy: ".")[1]
                }
            return "\(field.isRepeated ? "repeated " : "")\(type) \(field.name) = \(index + 1);"
        }
        #expect(description.fields.count <= MessageDescription.fieldsMax)
        #expect(description.fields.allSatisfy { $0.name.utf8.count <= MessageDescription.nameBytesMax })
        #expect(fields == (try ProtoFile.fields(package: parts[0], message: parts[1])))
    }

    @Test("the names of the JSON mapping are protoc's")
    func jsonNames() {
        let names = Consignment_Container.messageDescription.fields.map(\.jsonName)
        #expect(names == ["id", "customerId", "origin", "userId"])
    }
}
