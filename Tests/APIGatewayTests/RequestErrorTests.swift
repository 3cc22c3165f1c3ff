import NIOCore
import RPC
import Testing
import Transcoding

@testable import APIGateway

@Suite("Errors in requests")
struct RequestErrorTests {
    private func error(_ json: String, root: String) throws -> GatewayError? {
        let message = try #require(Schema.contracts.message(named: "consignment.Consignment"))
        return Array(json.utf8).withUnsafeBytes { bytes -> GatewayError? in
            do throws(JSONProblem) {
                _ = try JSONToWire.encode(bytes, as: message, of: .contracts)
                return nil
            } catch {
                return GatewayError(error, root: root)
            }
        }
    }

    @Test(
        "one in a field is 400, with details that name the field as services do: from the message on",
        arguments: [
            (#"{"weight":"heavy"}"#, "weight", "weight: expected an int32"),
            (#"{"containers":[{"origin":1}]}"#, "containers[0].origin", "containers[0].origin: expected a string"),
            (#"{"weight":1,"weight":2}"#, "weight", "weight is given twice"),
        ])
    func field(json: String, field: String, detail: String) throws {
        for (root, detail) in [("", detail), ("request", "request.\(detail)")] {
            let error = try #require(try error(json, root: root))
            #expect(error.code == 400 && error.detail == detail && error.origin == .gateway)
            #expect(
                error.details == [.badRequest([ErrorDetail.FieldViolation(field: field, description: detail)])])
        }
    }

    @Test(
        "a malformed value is 400 with its field's path, in the body of /rpc and in one of its own",
        arguments: [
            ("capacity", "05", "not valid JSON at byte 13: a number with a leading zero"),
            ("capacity", "0x10", "not valid JSON at byte 13: a number that goes on as text"),
            ("capacity", "1.", "not valid JSON at byte 13: a number without digits after the point"),
            ("capacity", "+5", "expected an int32"), ("capacity", ".5", "expected an int32"),
            ("capacity", "NaN", "expected an int32"), ("capacity", "many", "expected an int32"),
            ("capacity", "nulls", "expected an int32"), ("available", "truer", "expected true or false"),
            ("name", "\"a\nb\"", "not valid JSON at byte 11: a control character in a string"),
        ])
    func malformed(field: String, value: String, detail: String) async throws {
        let message = "{\"\(field)\": \(value)}"
        try await GatewayFixture.run { gateway in
            let own = try await gateway.fetch("POST", "/vessel/VesselService/Create", body: message)
            #expect(try own.isError(400, id: "shippy.api", "\(field): \(detail)"), "\(own.body)")
            let inEnvelope = try await gateway.rpc(
                "{\"service\": \"vessel\", \"method\": \"VesselService.Create\", \"request\": \(message)}")
            #expect(
                try inEnvelope.isError(400, id: "shippy.api", "request.\(field): \(detail)"), "\(inEnvelope.body)")
            let wasCalled = gateway.services.seen.withLockedValue { $0.paths.contains("/vessel.VesselService/Create") }
            #expect(!wasCalled)
        }
    }

    @Test("an unknown field is named with its message")
    func unknown() throws {
        let error = try #require(try error(#"{"wieght":1}"#, root: "request"))
        #expect(error.detail == "unknown field \"request.wieght\" (consignment.Consignment has none)")
        #expect(error.code == 400)
    }

    @Test("too many elements are 413, without details")
    func tooMany() throws {
        let elements = Array(repeating: "{}", count: MessageLimits.elementsMax + 1).joined(separator: ",")
        let error = try #require(try error(#"{"containers":[\#(elements)]}"#, root: "request"))
        #expect(error == GatewayError(413, "request.containers[20000]: more than 20000 elements"))
    }

    @Test("a message that fits is none")
    func none() throws {
        #expect(try error(#"{"weight":1,"containers":[{}]}"#, root: "") == nil)
    }
}
