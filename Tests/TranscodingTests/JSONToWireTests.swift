import Contracts
import RPC
import SwiftProtobuf
import Testing

@testable import Transcoding

@Suite("From JSON to protobuf")
struct JSONToWireTests {
    /// What is wrong with a message; `nil` when nothing is.
    private func problem(_ json: [UInt8], as type: any Message.Type = Consignment_Consignment.self) -> JSONProblem? {
        do {
            _ = try Transcoder.wire(json, as: Transcoder.message(type))
            return nil
        } catch {
            return error as? JSONProblem
        }
    }

    private func text(_ json: String, as type: any Message.Type = Consignment_Consignment.self) -> String? {
        problem(Array(json.utf8), as: type)?.text(root: "request")
    }

    private func decode<M: Message>(_ json: [UInt8], as type: M.Type) throws -> M {
        try M(serializedBytes: Transcoder.wire(json, as: Transcoder.message(type)))
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
            (#"{"weight":0x10}"#, "request.weight: not valid JSON at byte 10: a number that goes on as text"),
            (#"{"weight":nulls}"#, "request.weight: expected an int32"),
            (#"{"weight":1,}"#, "request: not valid JSON at byte 12: expected a string"),
            (#"{"weight":1"#, "request: not valid JSON at byte 11: expected }"),
            (#"[]"#, "request: expected an object"),
            (#"{"id":"\uD800"}"#, "request.id: not valid JSON at byte 7: an escape that is no character"),
            (#"{"id":"a"} x"#, "request: not valid JSON at byte 11: text after the value"),
        ])
    func described(json: String, detail: String) {
        // SwiftProtobuf must reject what is listed here.
        #expect(throws: (any Error).self) { try Consignment_Consignment(jsonUTF8Bytes: Array(json.utf8)) }
        #expect(text(json) == detail)
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
        #expect(text(json) == "request.weight: expected an int32")
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
        #expect(text(json) == detail)
    }

    @Test("the path of a problem begins with the field, and names it as the caller did")
    func path() {
        #expect(problem(Array(#"{"containers":[{},{"userId":1}]}"#.utf8))?.path == "containers[1].userId")
        #expect(problem(Array("[]".utf8))?.path == "")
        let capacity = problem(Array(#"{"capacity":"x"}"#.utf8), as: Vessel_Vessel.self)
        #expect(capacity?.text(root: "") == "capacity: expected an int32")
        #expect(capacity?.isTooLarge == false)
    }

    @Test("the same field in two elements is no duplicate")
    func onceInEach() throws {
        let json = #"{"containers":[{"user_id":"a"},{"user_id":"b"}]}"#
        let consignment = try decode(Array(json.utf8), as: Consignment_Consignment.self)
        #expect(consignment.containers.map(\.userID) == ["a", "b"])
    }

    @Test("elements are counted as they are read, over all lists")
    func elements() {
        func json(_ count: Int) -> [UInt8] {
            Array((#"{"containers":["# + String(repeating: "{},", count: count - 1) + "{}]}").utf8)
        }
        #expect(problem(json(MessageLimits.elementsMax)) == nil)
        let refusal = problem(json(MessageLimits.elementsMax + 1))
        #expect(refusal?.isTooLarge == true)
        #expect(refusal?.text(root: "request") == "request.containers[20000]: more than 20000 elements")
    }

    @Test("an unknown name of any length is repeated in a few bytes, cut between characters")
    func unknownNames() throws {
        let marks = "a" + String(repeating: "\u{301}\u{323}", count: 50_000)
        for name in [marks, String(repeating: "x", count: 200_000), String(repeating: "\\u0301", count: 40_000)] {
            let refusal = try #require(problem(Array(#"{"\#(name)":1}"#.utf8)))
            let detail = refusal.text(root: "request")
            #expect(detail.utf8.starts(with: "unknown field \"request.".utf8))
            #expect(detail.utf8.count < 200)
            #expect(!detail.unicodeScalars.contains("\u{fffd}"))
            #expect(refusal.path.utf8.count < 200)
        }
    }

    @Test("escapes are resolved only where the content may be short enough")
    func longEscapes() throws {
        func escapes(_ count: Int) -> String { String(repeating: #"\u0061"#, count: count) }
        func unknown(_ name: String) -> String {
            "unknown field \"\(name)\" (consignment.Consignment has none)"
        }
        let cut = unknown("request." + String(repeating: "a", count: 112) + "…")
        #expect(text(#"{"\#(escapes(64))":1}"#) == unknown("request." + String(repeating: "a", count: 64)))
        #expect(text(#"{"\#(escapes(200_000))":1}"#) == cut)
        // An invalid escape is an error of its own only where it is resolved.
        #expect(text(#"{"\x":1}"#) == "request: not valid JSON at byte 2: an unknown escape in a string")
        #expect(text(#"{"\#(escapes(64))\x":1}"#) == unknown("request." + String(repeating: "a", count: 64) + #"\x"#))
        #expect(text(#"{"\#(escapes(200_000))\x":1}"#) == cut)
        // 100 bytes may be a number, all of them escapes.
        let zeros = String(repeating: #"\u0030"#, count: 97)
        let number = Array(#"{"weight":"5\u002e\#(zeros)"}"#.utf8)
        #expect(try decode(number, as: Consignment_Consignment.self).weight == 5)
        for digits in [#"\u0035\u002e\#(zeros)\u0030\u0030"#, String(repeating: #"\u0035"#, count: 200_000)] {
            #expect(text(#"{"weight":"\#(digits)"}"#) == "request.weight: expected an int32")
        }
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
        let json = Array(#"{"name":""#.utf8) + bytes + Array("\"}".utf8)
        #expect(throws: (any Error).self) { try Vessel_Vessel(jsonUTF8Bytes: json) }
        #expect(problem(json, as: Vessel_Vessel.self)?.text(root: "r") == "r.name: not UTF-8")
    }

    @Test("every character passes, raw and as an escape, those beyond U+FFFF as a pair of them")
    func everyCharacter() throws {
        for first in stride(from: UInt32(0x20), to: 0x11_0000, by: 997) {
            guard let scalar = Unicode.Scalar(first), scalar != "\"", scalar != "\\" else { continue }
            let escapes = String(scalar).utf16.map { unit in
                let digits = String(unit, radix: 16)
                return "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            }
            let json = Array(#"{"name":"\#(scalar)\#(escapes.joined())"}"#.utf8)
            #expect(try decode(json, as: Vessel_Vessel.self).name.utf8.elementsEqual("\(scalar)\(scalar)".utf8))
        }
    }

    @Test(
        "everything that the JSON mapping allows is accepted, with the same meaning",
        arguments: [
            #"{"weight":"200"}"#, #"{"weight":2e2}"#, #"{"weight":200.0}"#, #"{"weight":null}"#,
            #"{"vessel_id":"a"}"#, #"{"vesselId":"a"}"#, "{}", #"{"containers":[]}"#, #"{"containers":null}"#,
            #"{"weight":"\u0035"}"#, #"{"weight":"2e2"}"#, #"{"weight":-0}"#, #"{"weight":"-5"}"#, " { } ",
            #"{"weight":-2147483648}"#, #"{"weight":2147483647.0}"#, #"{"status":"BOOKED"}"#, #"{"status":2}"#,
            #"{"status":-7}"#, #"{"status":null}"#, #"{"created_at":"1970-01-01T00:00:00Z"}"#, #"{"created_at":null}"#,
            #"{"id":"","containers":[{"id":""},{}]}"#,
        ])
    func accepted(json: String) throws {
        let bytes = Array(json.utf8)
        #expect(try decode(bytes, as: Consignment_Consignment.self) == Consignment_Consignment(jsonUTF8Bytes: bytes))
    }

    @Test("a field that tells absence from its default value keeps it, others don't")
    func presence() throws {
        let wire = try Transcoder.wire(
            Array(#"{"available":false,"capacity":0,"name":""}"#.utf8), as: Transcoder.message(Vessel_Vessel.self))
        #expect(wire == [0x28, 0])
    }

    @Test("contents of each length have the right length before them")
    func lengths() throws {
        for length in Array(0...300) + [16_383, 16_384, 70_000] {
            // Of an escape, as of one the length is not known at first.
            let name = String(repeating: "x", count: length)
            let json = Array(#"{"vessel":{"id":"\u0061\#(name)"}}"#.utf8)
            #expect(try decode(json, as: Vessel_UpdateRequest.self).vessel.id == "a" + name)
        }
    }

    @Test("room for a prefix is left before the message")
    func prefix() throws {
        let json = Array(#"{"capacity":1}"#.utf8)
        let wire = try json.withUnsafeBytes {
            try JSONToWire.encode(
                $0, as: Transcoder.message(Vessel_Vessel.self), of: Transcoder.schema, prefixLength: 5)
        }
        #expect(wire == [0, 0, 0, 0, 0, 0x10, 1])
    }

    @Test(
        "field masks name fields in either case",
        arguments: [
            ("", []), ("name", ["name"]), ("name,maxWeight", ["name", "max_weight"]), ("max_weight", ["max_weight"]),
            ("vessel.maxWeight,available", ["vessel.max_weight", "available"]),
            (#"max\u0057eight"#, ["max_weight"]), (#"name\u002c\u006dax\u005fweight"#, ["name", "max_weight"]),
        ] as [(String, [String])])
    func masks(text: String, paths: [String]) throws {
        let json = Array(#"{"update_mask":"\#(text)"}"#.utf8)
        let request = try decode(json, as: Vessel_UpdateRequest.self)
        #expect(request.hasUpdateMask && request.updateMask.paths == paths)
    }

    @Test(
        "texts that are no names of fields are no mask",
        arguments: [#"",""#, #""a,""#, #"",a""#, #""a,,b""#, #""a b""#, #""a-b""#, #""é""#, #""\u00e9""#])
    func noMasks(text: String) {
        let detail = "request.update_mask: expected names of fields with commas between them"
        #expect(self.text(#"{"update_mask":\#(text)}"#, as: Vessel_UpdateRequest.self) == detail)
        #expect(
            self.text(#"{"update_mask":["a"]}"#, as: Vessel_UpdateRequest.self)
                == "request.update_mask: expected a string")
    }

    @Test("numbers of 64 bits are read from texts, and from numbers")
    func int64() throws {
        for (text, value) in [
            (#""9223372036854775807""#, Int64.max), (#""-9223372036854775808""#, .min), ("-1", -1), ("1e3", 1_000),
        ] {
            let json = Array(#"{"rejected_items":\#(text)}"#.utf8)
            #expect(try decode(json, as: Otlp_PartialSuccess.self).rejectedItems == value)
        }
        for text in [#""9223372036854775808""#, "-9223372036854775809", "1e30", String(repeating: "9", count: 100)] {
            #expect(
                self.text(#"{"rejected_items":\#(text)}"#, as: Otlp_PartialSuccess.self)
                    == "request.rejected_items: out of range, expected an int64 (-9223372036854775808 to 9223372036854775807)"
            )
        }
        let long = String(repeating: "9", count: 101)
        #expect(
            self.text(#"{"rejected_items":\#(long)}"#, as: Otlp_PartialSuccess.self)
                == "request.rejected_items: expected an int64")
    }

    @Test("an enum's values have the names of the .proto file, and others are not among them")
    func enums() {
        let detail = "request.status: expected one of STATUS_UNSPECIFIED, BOOKED, PENDING, CANCELLED"
        for value in [#""booked""#, #""1""#, #""""#, #""BOOKE\u0064""#] {
            #expect(text(#"{"status":\#(value)}"#) == detail)
        }
        #expect(text(#"{"status":true}"#) == "request.status: expected an int32")
    }

    @Test("escapes mean the same in a time and in an enum's name as in other texts")
    func shortEscapes() throws {
        let escaped = Array(#"{"status":"BOOKE\u0044","created_at":"\u0032026-01-31T09:05:00\u005a"}"#.utf8)
        let plain = Array(#"{"status":"BOOKED","created_at":"2026-01-31T09:05:00Z"}"#.utf8)
        let consignment = try decode(escaped, as: Consignment_Consignment.self)
        #expect(try consignment == decode(plain, as: Consignment_Consignment.self))
        #expect(consignment.status == .booked && consignment.hasCreatedAt)
    }

    @Test("times, masks and enums' names are bounded, and their escapes resolved only within the bound")
    func shortTexts() throws {
        let path = #"\u0061"#
        func mask(_ count: Int) -> [UInt8] {
            Array(#"{"update_mask":"\#(String(repeating: path, count: count))"}"#.utf8)
        }
        let longest = JSONToWire.shortTextBytesMax
        #expect(try decode(mask(longest), as: Vessel_UpdateRequest.self).updateMask.paths.first?.utf8.count == longest)
        for count in [longest + 1, 200_000] {
            #expect(
                problem(mask(count), as: Vessel_UpdateRequest.self)?.text(root: "request")
                    == "request.update_mask: expected names of fields with commas between them")
            let escapes = String(repeating: path, count: count)
            let time = "request.created_at: expected a time such as 2026-01-31T09:05:00Z"
            #expect(text(#"{"created_at":"\#(escapes)"}"#) == time)
            let status = "request.status: expected one of STATUS_UNSPECIFIED, BOOKED, PENDING, CANCELLED"
            #expect(text(#"{"status":"\#(escapes)"}"#) == status)
        }
    }

    @Test("text that is cut short anywhere is rejected")
    func truncated() throws {
        let json = Array(
            #"{"id":"d\u00e9\ud83d\ude00","weight":"12","containers":[{"id":"é"},{}],"status":"BOOKED","createdAt":"2026-01-31T09:05:00Z"}"#
                .utf8)
        #expect(problem(json) == nil)
        for length in 0..<json.count { #expect(problem(Array(json.prefix(length))) != nil, "\(length)") }
    }

    @Test("nesting costs no more than its text, whatever is nested")
    func deep() {
        for opening in ["[", "{\"containers\":", "{\"containers\":[", "{\"id\":", "\""] {
            #expect(problem(Array(String(repeating: opening, count: 100_000).utf8)) != nil)
        }
        let node = NodeSchema.nested(depth: JSONCursor.depthMax - 1)
        #expect(throws: Never.self) {
            try Transcoder.wire(Array(node.utf8), as: NodeSchema.node, of: NodeSchema.schema)
        }
        let deeper = Array(NodeSchema.nested(depth: 100_000).utf8)
        let error = #expect(throws: JSONProblem.self) {
            try Transcoder.wire(deeper, as: NodeSchema.node, of: NodeSchema.schema)
        }
        #expect(error?.text(root: "").hasSuffix("nested too deep") == true)
    }
}
