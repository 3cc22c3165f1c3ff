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
