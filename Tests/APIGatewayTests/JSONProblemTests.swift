import Contracts
import NIOCore
import SwiftProtobuf
import Testing

@testable import APIGateway

@Suite("What is wrong with a request")
struct JSONProblemTests {
    @Test(
        "the field is named with its path and what it should be",
        arguments: [
            (#"{"weight":"heavy"}"#, "request.weight: expected an int32"),
            (#"{"weight":1.5}"#, "request.weight: expected an int32"),
            (#"{"weight":true}"#, "request.weight: expected an int32"),
            (#"{"weight":{}}"#, "request.weight: expected an int32"),
            (
                #"{"weight":2147483648}"#,
                "request.weight: out of range, expected an int32 (-2147483648 to 2147483647)"
            ),
            (
                #"{"weight":-1e300}"#,
                "request.weight: out of range, expected an int32 (-2147483648 to 2147483647)"
            ),
            (#"{"description":5}"#, "request.description: expected a string"),
            (#"{"containers":{}}"#, "request.containers: expected an array"),
            (#"{"containers":[{"id":"a"},{"origin":1}]}"#, "request.containers[1].origin: expected a string"),
            (#"{"containers":[null]}"#, "request.containers[0]: expected an object"),
            (
                #"{"containers":[{"orgin":"x"}]}"#,
                "unknown field \"request.containers[0].orgin\" (consignment.Container has none)"
            ),
            (#"{"wieght":1}"#, "unknown field \"request.wieght\" (consignment.Consignment has none)"),
            (#"{"vesselID":"x"}"#, "unknown field \"request.vesselID\" (consignment.Consignment has none)"),
            (#"{"weight":01}"#, "request.weight: not valid JSON at byte 10: a number with a leading zero"),
            (#"{"weight":1,}"#, "request: not valid JSON at byte 12: expected a string"),
            (#"{"weight":1"#, "request: not valid JSON at byte 11: expected }"),
            (#"[]"#, "request: expected an object"),
            (#"{"id":"\uD800"}"#, "request.id: not valid JSON at byte 7: an escape that is no character"),
        ])
    func described(json: String, detail: String) {
        // What is described here must be what SwiftProtobuf refuses.
        #expect(throws: (any Error).self) { try Consignment_Consignment(jsonUTF8Bytes: Array(json.utf8)) }
        let text = JSONProblem.describe(
            JSONBytes(json.utf8), as: Consignment_Consignment.messageDescription, root: "request")
        #expect(text == detail)
    }

    @Test("without a root the path begins with the field")
    func noRoot() {
        let json = JSONBytes(#"{"capacity":"x"}"#.utf8)
        #expect(
            JSONProblem.describe(json, as: Vessel_Vessel.messageDescription, root: "") == "capacity: expected an int32")
    }

    @Test("bytes that are no UTF-8 are refused by name")
    func notUTF8() {
        let json = JSONBytes(Array(#"{"name":""#.utf8) + [0xff, 0xfe] + Array("\"}".utf8))
        #expect(throws: (any Error).self) { try Vessel_Vessel(jsonUTF8Bytes: json) }
        #expect(JSONProblem.describe(json, as: Vessel_Vessel.messageDescription, root: "r") == "r.name: not UTF-8")
    }

    @Test(
        "what the JSON mapping allows is accepted",
        arguments: [
            #"{"weight":"200"}"#, #"{"weight":2e2}"#, #"{"weight":200.0}"#, #"{"weight":null}"#,
            #"{"vessel_id":"a"}"#, #"{"vesselId":"a"}"#, "{}", #"{"containers":[]}"#, #"{"containers":null}"#,
        ])
    func accepted(json: String) throws {
        _ = try Consignment_Consignment(jsonUTF8Bytes: JSONBytes(json.utf8))
    }
}
