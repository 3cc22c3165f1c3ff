import Contracts
import NIOCore
import RPC
import SwiftProtobuf
import Testing

@testable import APIGateway

@Suite("Errors in requests")
struct RequestCheckTests {
    /// The error that a check finds, without its details; `nil` when there is none. The details of a 400 name the field as
    /// services do: from the message on.
    private func problem(
        _ json: JSONBytes, as message: MessageDescription = Consignment_Consignment.messageDescription,
        root: String = "request"
    ) -> GatewayError? {
        do throws(GatewayError) {
            try RequestCheck.check(json, as: message, root: root)
            return nil
        } catch {
            var error = error
            if error.code == 400, case .badRequest(let violations)? = error.details.first {
                #expect(violations.map(\.description) == [error.detail] && error.details.count == 1)
                let field = violations[0].field
                #expect(field.isEmpty || error.detail.utf8.contains(field.utf8.prefix(8)))
                #expect(!field.hasPrefix("request"))
            } else {
                #expect(error.code == 413 && error.details.isEmpty)
            }
            error.details = []
            return error
        }
    }

    @Test(
        "an error names the field's path and what it should hold",
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
            (#"{"id":"a"} x"#, "request: not valid JSON at byte 11: text after the value"),
        ])
    func described(json: String, detail: String) {
        // SwiftProtobuf must reject what is listed here.
        #expect(throws: (any Error).self) { try Consignment_Consignment(jsonUTF8Bytes: Array(json.utf8)) }
        #expect(problem(JSONBytes(json.utf8)) == GatewayError(400, detail))
    }

    @Test(
        "the error for a malformed number names its path, also for a number in quotes",
        arguments: [
            #""+5""#, #""05""#, #""0x10""#, #""""#, #"" 5""#, #""5 ""#, #""-""#, #""1.""#, #"".5""#, #""1e""#,
            #""5.5""#,
            #""1_000""#, #""\u0663""#, #""٣""#, #""NaN""#, #""Infinity""#, #""1e400""#, #""\u002b5""#, "[5]", "+5",
            ".5",
        ])
    func malformedNumbers(number: String) {
        let json = #"{"weight":\#(number)}"#
        #expect(throws: (any Error).self) { try Consignment_Consignment(jsonUTF8Bytes: Array(json.utf8)) }
        #expect(problem(JSONBytes(json.utf8)) == GatewayError(400, "request.weight: expected an int32"))
    }

    @Test(
        "a duplicate field is rejected with its path, whichever of its names is used and whatever it holds",
        arguments: [
            (#"{"weight":1,"weight":1}"#, "request.weight is given twice"),
            (#"{"vessel_id":"a","vesselId":"b"}"#, "request.vessel_id is given twice"),
            (#"{"vesselId":"a","vessel_id":"b"}"#, "request.vessel_id is given twice"),
            (#"{"vesselId":"a","vessel_i\u0064":"b"}"#, "request.vessel_id is given twice"),
            (#"{"weight":1,"weight":null}"#, "request.weight is given twice"),
            (#"{"weight":null,"weight":1}"#, "request.weight is given twice"),
            (#"{"containers":[{}],"containers":[{}]}"#, "request.containers is given twice"),
            (
                #"{"containers":[{"id":"a"},{"user_id":"b","userId":"b"}]}"#,
                "request.containers[1].user_id is given twice"
            ),
        ])
    func givenTwice(json: String, detail: String) {
        #expect(problem(JSONBytes(json.utf8)) == GatewayError(400, detail))
    }

    @Test("the same field in two elements is no duplicate")
    func onceInEach() throws {
        let json = JSONBytes(#"{"containers":[{"user_id":"a"},{"user_id":"b"}]}"#.utf8)
        #expect(problem(json) == nil)
        #expect(try Consignment_Consignment(jsonUTF8Bytes: json).containers.map(\.userID) == ["a", "b"])
    }

    @Test("elements are counted as they are read, over all lists")
    func elements() {
        func json(_ count: Int) -> JSONBytes {
            JSONBytes((#"{"containers":["# + String(repeating: "{},", count: count - 1) + "{}]}").utf8)
        }
        #expect(problem(json(MessageLimits.elementsMax)) == nil)
        let refusal = problem(json(MessageLimits.elementsMax + 1))
        #expect(refusal?.code == 413)
        #expect(refusal?.detail == "request.containers[20000]: more than 20000 elements")
    }

    @Test("an unknown name of any length is repeated in a few bytes, cut between characters")
    func unknownNames() throws {
        let marks = "a" + String(repeating: "\u{301}\u{323}", count: 50_000)
        for name in [marks, String(repeating: "x", count: 200_000), String(repeating: "\\u0301", count: 40_000)] {
            let refusal = try #require(problem(JSONBytes(#"{"\#(name)":1}"#.utf8)))
            #expect(refusal.code == 400)
            #expect(refusal.detail.utf8.starts(with: "unknown field \"request.".utf8))
            #expect(refusal.detail.utf8.count < 200)
            #expect(!refusal.detail.unicodeScalars.contains("\u{fffd}"))
        }
    }

    @Test("without a root the path begins with the field")
    func noRoot() {
        let json = JSONBytes(#"{"capacity":"x"}"#.utf8)
        #expect(
            problem(json, as: Vessel_Vessel.messageDescription, root: "")
                == GatewayError(400, "capacity: expected an int32"))
    }

    @Test(
        "bytes that are not UTF-8 are rejected with their path",
        arguments: [
            [0xff, 0xfe], [0x80], [0xc3], [0xc3, 0x28], [0xc0, 0xaf], [0xe0, 0x80, 0xaf], [0xed, 0xa0, 0x80],
            [0xf0, 0x80, 0x80, 0xaf], [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82],
            // Half a character before an escape, and the other half after it.
            Array("\u{c3}".utf8.prefix(1)) + Array(#"\n"#.utf8), Array(#"\n"#.utf8) + [0xa9],
        ] as [[UInt8]])
    func notUTF8(bytes: [UInt8]) {
        let json = JSONBytes(Array(#"{"name":""#.utf8) + bytes + Array("\"}".utf8))
        #expect(throws: (any Error).self) { try Vessel_Vessel(jsonUTF8Bytes: json) }
        #expect(
            problem(json, as: Vessel_Vessel.messageDescription, root: "r") == GatewayError(400, "r.name: not UTF-8"))
    }

    @Test("every character passes, raw and as an escape")
    func everyCharacter() throws {
        for first in stride(from: UInt32(0x20), to: 0x11_0000, by: 997) {
            guard let scalar = Unicode.Scalar(first), scalar != "\"", scalar != "\\" else { continue }
            let escapes = String(scalar).utf16.map { unit in
                let digits = String(unit, radix: 16)
                return "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            }
            let json = JSONBytes(#"{"name":"\#(scalar)\#(escapes.joined())"}"#.utf8)
            #expect(problem(json, as: Vessel_Vessel.messageDescription) == nil)
            #expect(try Vessel_Vessel(jsonUTF8Bytes: json.resolvingPairs).name == "\(scalar)\(scalar)")
        }
    }

    @Test(
        "surrogate pairs are resolved, and nothing else changes",
        arguments: [
            (#"{"name":"\ud842\udfb7"}"#, "{\"name\":\"\u{20bb7}\"}"),
            (#"{"a\n":"\uD83D\uDE00\u00e9\\ud842"}"#, "{\"a\\n\":\"\u{1f600}\\u00e9\\\\ud842\"}"),
            (#"{"name":"\ud842"}"#, #"{"name":"\ud842"}"#), (#"{"name":"\"#, #"{"name":"\"#),
            (#"{"name":"\ud842\u"#, #"{"name":"\ud842\u"#), ("", ""),
        ])
    func pairs(json: String, resolved: String) {
        #expect(String(buffer: JSONBytes(json.utf8).resolvingPairs.buffer) == resolved)
    }

    @Test(
        "everything that the JSON mapping allows is accepted",
        arguments: [
            #"{"weight":"200"}"#, #"{"weight":2e2}"#, #"{"weight":200.0}"#, #"{"weight":null}"#,
            #"{"vessel_id":"a"}"#, #"{"vesselId":"a"}"#, "{}", #"{"containers":[]}"#, #"{"containers":null}"#,
            #"{"weight":"\u0035"}"#, #"{"weight":"2e2"}"#, #"{"weight":-0}"#, #"{"weight":"-5"}"#, " { } ",
        ])
    func accepted(json: String) throws {
        #expect(problem(JSONBytes(json.utf8)) == nil)
        _ = try Consignment_Consignment(jsonUTF8Bytes: JSONBytes(json.utf8))
    }
}
