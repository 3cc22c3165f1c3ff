import Contracts
import Foundation
import RPC
import Runtime
import Testing

@testable import APIGateway

/// What clients have compiled in. Here it stands a second time, so that no change of a .proto file goes unnoticed.
@Suite("The contract")
struct ContractTests {
    @Test(
        "messages keep their fields' names, types and numbers",
        arguments: [
            (
                "vessel", "Vessel",
                "string id = 1; int32 capacity = 2; int32 max_weight = 3; string name = 4; bool available = 5; string owner_id = 6; int32 booked_containers = 7; int32 booked_weight = 8;"
            ),
            ("vessel", "Specification", "int32 capacity = 1; int32 max_weight = 2;"),
            (
                "vessel", "Response",
                "Vessel vessel = 1; repeated Vessel vessels = 2; bool created = 3; string next_page_token = 4;"
            ),
            (
                "user", "User",
                "string id = 1; string name = 2; string company = 3; string email = 4; string password = 5; string token = 6; repeated string roles = 7;"
            ),
            ("user", "Request", "int32 page_size = 1; string page_token = 2;"),
            (
                "user", "Response",
                "User user = 1; repeated User users = 2; repeated Error errors = 3; Token token = 4; string next_page_token = 5;"
            ),
            ("vessel", "GetRequest", "string id = 1;"),
            ("vessel", "ListRequest", "int32 page_size = 1; string page_token = 2;"),
            ("vessel", "UpdateRequest", "Vessel vessel = 1; google.protobuf.FieldMask update_mask = 2;"),
            ("vessel", "Reservation", "string consignment_id = 1; int32 containers = 2; int32 weight = 3;"),
            ("user", "Token", "string token = 1; bool valid = 2; repeated Error errors = 3;"),
            ("user", "Error", "int32 code = 1; string description = 2;"),
            (
                "consignment", "Consignment",
                "string id = 1; string description = 2; int32 weight = 3; repeated Container containers = 4; string vessel_id = 5; Status status = 6; google.protobuf.Timestamp created_at = 7; string user_id = 8;"
            ),
            (
                "consignment", "Container",
                "string id = 1; string customer_id = 2; string origin = 3; string user_id = 4;"
            ),
            ("consignment", "GetRequest", "int32 page_size = 1; string page_token = 2; string id = 3;"),
            ("consignment", "CancelRequest", "string id = 1;"),
            (
                "consignment", "Response",
                "bool created = 1; Consignment consignment = 2; repeated Consignment consignments = 3; string next_page_token = 4;"
            ),
            (
                "email", "UserCreated",
                "string event_id = 1; string user_id = 2; string name = 3; string email = 4; string company = 5; google.protobuf.Timestamp occurred_at = 6;"
            ),
            ("email", "GetRequest", "string event_id = 1;"),
            ("email", "Response", "Email email = 1;"),
            (
                "email", "Email",
                "string event_id = 1; string to = 2; string subject = 3; Status status = 4; int32 attempts = 5; string last_error = 6;"
            ),
        ])
    func fields(package: String, message: String, fields: String) throws {
        #expect(try ProtoFile.fields(package: package, message: message).joined(separator: " ") == fields)
    }

    @Test("the gateway's limits are the promised ones")
    func limits() throws {
        let gateway = GatewayConfiguration(address: HostPort(host: "", port: 0))
        #expect(gateway.http.bodyBytesMax == 1_048_576)
        #expect(gateway.http.headerBytesMax == 16_384)
        #expect(gateway.http.requestTimeout == .seconds(10))
        #expect(gateway.timeout == .seconds(5))
        #expect(gateway.namespace == "shippy")
        #expect(try APIGateway([]).gateway.namespace == "shippy")
        #expect(try APIGateway([]).gateway.timeout == .seconds(5))
        #expect(
            GatewayConfiguration.Upstream.all().map { "\($0.name)=\($0.address)" }
                == ["vessel=vessel:8080", "user=user:8080", "consignment=consignment:8080"])
    }

    @Test("a mail's states keep their numbers")
    func states() {
        #expect([Email_Status.pending, .sent, .failed].map(\.rawValue) == [0, 1, 2])
    }

    @Test("methods keep their paths, and only those that may be repeated without a key say so")
    func methods() {
        #expect(VesselMethods.create.path == "/vessel.VesselService/Create")
        #expect(VesselMethods.findAvailable.path == "/vessel.VesselService/FindAvailable")
        #expect(UserMethods.create.path == "/user.UserService/Create")
        #expect(UserMethods.get.path == "/user.UserService/Get")
        #expect(UserMethods.getAll.path == "/user.UserService/GetAll")
        #expect(UserMethods.auth.path == "/user.UserService/Auth")
        #expect(UserMethods.validateToken.path == "/user.UserService/ValidateToken")
        #expect(UserMethods.alias == "auth.Auth")
        #expect(ConsignmentMethods.create.path == "/consignment.ConsignmentService/Create")
        #expect(ConsignmentMethods.get.path == "/consignment.ConsignmentService/Get")
        #expect(EmailMethods.process.path == "/email.EmailService/Process")
        #expect(EmailMethods.get.path == "/email.EmailService/Get")
        #expect(HealthMethods.check.path == "/grpc.health.v1.Health/Check")

        #expect(!VesselMethods.create.isIdempotent)
        #expect(!UserMethods.create.isIdempotent)
        #expect(!ConsignmentMethods.create.isIdempotent)
        #expect(VesselMethods.findAvailable.isIdempotent)
        #expect(EmailMethods.process.isIdempotent)
    }
}

/// The .proto files as text.
enum ProtoFile {
    /// The field lines of a message in Protos/, without comments, enums and what says that a field may be unset.
    static func fields(package: String, message: String) throws -> [String] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let file = root.deletingLastPathComponent().appendingPathComponent("Protos/\(package).proto")
        let lines = try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n")
        let start = try #require(lines.firstIndex(of: "message \(message) {"))
        var isEnum = false
        return lines[(start + 1)...].prefix { $0 != "}" }
            .map { $0.components(separatedBy: "//")[0].trimmingCharacters(in: .whitespaces) }
            .filter { line in
                if line.hasPrefix("enum ") { isEnum = true }
                defer { if line == "}" { isEnum = false } }
                return !line.isEmpty && !isEnum
            }
            .map { $0.hasPrefix("optional ") ? String($0.dropFirst(9)) : $0 }
    }
}
