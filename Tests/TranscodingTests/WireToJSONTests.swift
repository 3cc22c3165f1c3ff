import Contracts
import SwiftProtobuf
import Testing

@testable import Transcoding

@Suite("From protobuf to JSON")
struct WireToJSONTests {
    private func vessel(_ wire: [UInt8]) throws -> String {
        try Transcoder.json(wire, as: Transcoder.message(Vessel_Vessel.self)).text
    }

    private func response(_ wire: [UInt8]) throws -> String {
        try Transcoder.json(wire, as: Transcoder.message(Vessel_Response.self)).text
    }

    private func node(_ wire: [UInt8]) throws -> String {
        try Transcoder.json(wire, as: NodeSchema.node, of: NodeSchema.schema).text
    }

    @Test("names are in snake_case; default values are left out, unless absence is something else")
    func defaults() throws {
        #expect(try vessel([]) == "{}")
        #expect(try vessel([0x10, 0, 0x22, 0]) == "{}")
        #expect(try vessel([0x28, 0]) == #"{"available":false}"#)
        #expect(try vessel([0x18, 0x80, 0x80, 0x80, 0x80, 0x10, 0x10, 7]) == #"{"capacity":7}"#)
        #expect(try vessel([0x18, 7]) == #"{"max_weight":7}"#)
        #expect(
            try response([0x0a, 0, 0x12, 0, 0x12, 0, 0x18, 1]) == #"{"vessel":{},"vessels":[{},{}],"created":true}"#)
    }

    @Test("numbers of 32 bits are the lower ones of what is sent")
    func numbers() throws {
        let minusOne: [UInt8] = Array(repeating: 0xff, count: 9) + [1]
        #expect(try vessel([0x10] + minusOne) == #"{"capacity":-1}"#)
        #expect(try vessel([0x10, 0xff, 0xff, 0xff, 0xff, 0x0f]) == #"{"capacity":-1}"#)
        #expect(try vessel([0x28, 0x80, 0x02]) == #"{"available":true}"#)
    }

    @Test(
        "texts are escaped as they were by the reference",
        arguments: [
            ("\"\\/", #"\"\\/"#), ("\u{0}\u{8}\t\n\u{c}\r\u{1f}", #"\u0000\b\t\n\f\r\u001F"#),
            ("\u{7f}\u{80}\u{9f}\u{a0}", #"\u007F\u0080\u009F"# + "\u{a0}"), ("é\u{85}\u{2028}😀", "é\\u0085\u{2028}😀"),
            ("plain", "plain"), ("\n", "\\n"), ("船", "船"), ("a\u{301}\u{323}", "a\u{301}\u{323}"),
        ])
    func escapes(text: String, escaped: String) throws {
        let message = Vessel_Vessel.with { $0.name = text }
        let json = try Transcoder.json(try message.serializedBytes(), as: Transcoder.message(Vessel_Vessel.self))
        #expect(json == Array("{\"name\":\"\(escaped)\"}".utf8), "\(json.text)")
        let reference: [UInt8] = try message.jsonUTF8Bytes()
        #expect(json == reference)
    }

    @Test("of a field that occurs twice the last value counts; messages are merged, lists go on")
    func repetition() throws {
        #expect(try vessel([0x10, 1, 0x10, 2]) == #"{"capacity":2}"#)
        #expect(try vessel([0x10, 1, 0x10, 0]) == "{}")
        #expect(try vessel([0x0a, 1, 0x61, 0x10, 1, 0x0a, 1, 0x62]) == #"{"id":"b","capacity":1}"#)
        #expect(try response([0x0a, 2, 0x10, 1, 0x0a, 2, 0x18, 2]) == #"{"vessel":{"capacity":1,"max_weight":2}}"#)
        #expect(
            try response([0x12, 2, 0x10, 1, 0x18, 1, 0x12, 2, 0x10, 2])
                == #"{"vessels":[{"capacity":1},{"capacity":2}],"created":true}"#)
    }

    @Test("lists of numbers are read packed, one by one, and mixed; an empty one is left out")
    func lists() throws {
        #expect(try node([0x12, 3, 1, 0, 2]) == #"{"numbers":[1,0,2]}"#)
        #expect(try node([0x10, 1, 0x10, 0]) == #"{"numbers":[1,0]}"#)
        #expect(try node([0x12, 2, 1, 2, 0x10, 3, 0x12, 0, 0x12, 1, 4]) == #"{"numbers":[1,2,3,4]}"#)
        #expect(try node([0x12, 0]) == "{}")
        #expect(
            try node([0x1a, 3, 0, 1, 9, 0x10, 5, 0x18, 1]) == #"{"numbers":[5],"colors":["RED","GREEN",9,"GREEN"]}"#)
        #expect(try node([0x2a, 0, 0x2a, 1, 0x61]) == #"{"texts":["","a"]}"#)
        #expect(throws: MalformedMessage.self) { try node([0x12, 2, 1, 0x80]) }
    }

    @Test("numbers of 64 bits are texts")
    func int64() throws {
        #expect(try node([0xc0, 0x0c, 5]) == #"{"far":"5"}"#)
        #expect(
            try node([0xc0, 0x0c] + Array(repeating: 0x80, count: 9) + [1]) == #"{"far":"-9223372036854775808"}"#)
    }

    @Test("unknown fields and known numbers of another type are left out")
    func unknown() throws {
        #expect(try vessel([0xf8, 0x06, 1, 0x10, 7, 0xfa, 0x06, 1, 0xff]) == #"{"capacity":7}"#)
        #expect(try vessel([0x12, 1, 0x61, 0x10, 7, 0x0d, 1, 2, 3, 4]) == #"{"capacity":7}"#)
        #expect(try vessel([0x0b, 0x13, 0x10, 1, 0x14, 0x0c, 0x10, 7]) == #"{"capacity":7}"#)
    }

    @Test(
        "malformed bytes are an error",
        arguments: [
            [0x10], [0x10, 0x80], [0x0a, 5, 0x61], [0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f], [0x00, 0], [0x07], [0x0e],
            [0x0c], [0x0b], [0x0b, 0x14], [0x0d, 1, 2, 3], [0x09, 1, 2, 3, 4, 5, 6, 7], [0x0a, 1, 0xff],
            [0x22, 2, 0xc3, 0x28], [0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0],
            [0x10] + Array(repeating: 0xff, count: 10), [0x0a] + Array(repeating: 0xff, count: 9) + [1],
        ] as [[UInt8]])
    func malformed(wire: [UInt8]) {
        #expect(throws: MalformedMessage.self) { try vessel(wire) }
        #expect(throws: (any Error).self) { try Vessel_Vessel(serializedBytes: wire) }
    }

    @Test("nesting beyond a limit is an error, whatever is nested")
    func deep() throws {
        var wire: [UInt8] = []
        for depth in 1...200 {
            var outer: [UInt8] = [0x0a]
            outer.appendVarint(UInt64(wire.count))
            wire = outer + wire
            if depth < JSONCursor.depthMax {
                #expect(try node(wire).utf8.count == 2 + depth * 10)
            } else {
                #expect(throws: MalformedMessage.self) { try node(wire) }
            }
        }
        // Groups, which only unknown fields have.
        #expect(throws: MalformedMessage.self) { try node(Array(repeating: 0xfb, count: 100_000)) }
        #expect(throws: MalformedMessage.self) { try vessel(Array(repeating: 0x0b, count: 100_000)) }
    }

    @Test("a time or a mask that JSON can't express is an error")
    func inexpressible() throws {
        let consignment = Transcoder.message(Consignment_Consignment.self)
        func json(_ seconds: Int64, _ nanos: Int32) throws -> String {
            let message = Consignment_Consignment.with {
                $0.createdAt.seconds = seconds
                $0.createdAt.nanos = nanos
            }
            return try Transcoder.json(try message.serializedBytes(), as: consignment).text
        }
        #expect(try json(253_402_300_799, 999_999_999) == #"{"created_at":"9999-12-31T23:59:59.999999999Z"}"#)
        #expect(throws: MalformedMessage.self) { try json(253_402_300_800, 0) }
        #expect(throws: MalformedMessage.self) { try json(-62_135_596_801, 0) }
        #expect(throws: MalformedMessage.self) { try json(0, -1) }
        #expect(throws: MalformedMessage.self) { try json(0, 1_000_000_000) }
        for path in ["maxWeight", "a__b", "a_", "_", "a b", "é", "a_1"] {
            let wire: [UInt8] = try Vessel_UpdateRequest.with { $0.updateMask.paths = [path] }.serializedBytes()
            #expect(throws: MalformedMessage.self) {
                try Transcoder.json(wire, as: Transcoder.message(Vessel_UpdateRequest.self))
            }
        }
    }

    @Test("one text is read out of a message, without the others")
    func text() throws {
        let token = User_Token.with {
            $0.token = "é"
            $0.valid = true
        }
        let bytes: [UInt8] = try token.serializedBytes()
        func read(_ bytes: [UInt8]) throws -> String {
            try bytes.withUnsafeBytes { try WireText.text(ofField: 1, in: $0) }
        }
        #expect(try read(bytes) == "é")
        #expect(try read(bytes + [0x0a, 1, 0x61]) == "a")
        #expect(try read([]).isEmpty)
        #expect(throws: MalformedMessage.self) { try read([0x0a, 1, 0xff]) }
        #expect(throws: MalformedMessage.self) { try read([0x0a, 2, 0x61]) }
    }
}
