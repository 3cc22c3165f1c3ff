import NIOCore
import Testing

@testable import APIGateway

@Suite("The envelope of POST /rpc")
struct EnvelopeTests {
    private func parse(_ json: String) throws -> (service: String, method: String, request: String?) {
        let envelope = try Envelope(json: ByteBuffer(string: json))
        return (
            String(buffer: envelope.service), String(buffer: envelope.method),
            envelope.request.map { String(buffer: $0) }
        )
    }

    @Test(
        "the request is found wherever it stands and however it is given",
        arguments: [
            (#"{"service":"a","method":"B.C","request":{"x":1}}"#, #"{"x":1}"#),
            (#"{"request": {"x":[1,{"y":"}]"}]} , "method": "B.C", "service": "a"}"#, #"{"x":[1,{"y":"}]"}]}"#),
            (" \r\n\t{ \"method\" : \"B.C\" , \"service\" : \"a\" } ", nil),
            (#"{"service":"a","method":"B.C","request":{"x":05,"y":[+5 ,tru]}}"#, #"{"x":05,"y":[+5 ,tru]}"#),
            ("{\"service\":\"a\",\"method\":\"B.C\",\"request\":{\"x\":\"\n\\\"}\"}}", "{\"x\":\"\n\\\"}\"}"),
            (#"{"service":"a","method":"B.C","request":null}"#, nil),
            (#"{"service":"a","method":"B.C","request":""}"#, nil),
            (#"{"service":"a","method":"B.C","request":" null "}"#, nil),
            (#"{"service":"a","method":"B.C","request":"{\"x\":\"\u00e9\\n\"}"}"#, "{\"x\":\"é\\n\"}"),
            (#"{"\u0073ervice":"\u0061","method":"B\u002eC","request":{}}"#, "{}"),
            (#"{"service":"a","method":"B.C","request":"{\"x\":\"\ud83d\ude00\"}"}"#, "{\"x\":\"😀\"}"),
            (#"{"service":"a","method":"B.C","request":{"s":"\"service\":\"z\"\\"}}"#, #"{"s":"\"service\":\"z\"\\"}"#),
        ] as [(String, String?)])
    func found(json: String, request: String?) throws {
        let parsed = try parse(json)
        #expect(parsed.service == "a")
        #expect(parsed.method == "B.C")
        #expect(parsed.request == request)
    }

    @Test(
        "what is wrong is said",
        arguments: [
            ("", "the body is empty, expected a JSON object"),
            ("  ", "the body is empty, expected a JSON object"),
            ("[]", "the body is not a JSON object"),
            ("\"x\"", "the body is not a JSON object"),
            ("{}", "service is missing"),
            (#"{"service":"","method":"m"}"#, "service is missing"),
            (#"{"service":null,"method":"m"}"#, "service is missing"),
            (#"{"service":"s"}"#, "method is missing"),
            (#"{"service":1}"#, "service: expected a string"),
            (#"{"service":"s","method":["m"]}"#, "method: expected a string"),
            (#"{"service":"s","method":"m","request":[]}"#, "request: expected an object"),
            (#"{"service":"s","method":"m","request":1}"#, "request: expected an object"),
            (#"{"service":"s","method":"m","request":nulls}"#, "request: expected an object"),
            (#"{"service":"s","service":"t","method":"m"}"#, "service is given twice"),
            (#"{"service":"s","method":"m","request":null,"request":{}}"#, "request is given twice"),
            (#"{"service":"s","\u0073ervice":"t"}"#, "service is given twice"),
            (#"{"service":null,"service":"t","method":"m"}"#, "service is given twice"),
            (#"{"service":"s","method":"m","method":null}"#, "method is given twice"),
            (#"{"service":"s","sevice":1}"#, "unknown field \"sevice\""),
            (#"{"service":"s","\u0073evice":1}"#, "unknown field \"sevice\""),
            (#"{"\x":1}"#, "the body is not valid JSON at byte 2: an unknown escape in a string"),
            (
                #"{"service":"s","address":"10.0.0.1:80"}"#,
                "address is not supported: the gateway knows where its services are"
            ),
            (#"{"service":"s""#, "the body is not valid JSON at byte 14: expected }"),
            (#"{"service":"s"} x"#, "the body is not valid JSON at byte 16: text after the value"),
            (#"{"service":"s,"#, "the body is not valid JSON at byte 12: a string without an end"),
            (#"{"service":"\x"}"#, "the body is not valid JSON at byte 12: an unknown escape in a string"),
            (#"{"service":"\ud83d"}"#, "the body is not valid JSON at byte 12: an escape that is no character"),
            (#"{"service":"\udc00\ud83d"}"#, "the body is not valid JSON at byte 12: an escape that is no character"),
            (#"{"service":"\u12"}"#, "the body is not valid JSON at byte 12: an escape that is no character"),
            (#"{"request":{"a":[}}"#, "the body is not valid JSON at byte 17: expected a value"),
            (#"{"request":{"a":tru]}}"#, "the body is not valid JSON at byte 19: expected a value"),
            (#"{"request":{"#, "the body is not valid JSON at byte 12: a value without an end"),
            ("{\"service\":\"a\nb\"}", "the body is not valid JSON at byte 13: a control character in a string"),
            (
                "{\"request\":{\"a\":" + String(repeating: "[", count: 100_000),
                "the body is not valid JSON at byte 79: nested too deep"
            ),
        ])
    func refused(json: String, detail: String) {
        #expect(throws: GatewayError(400, detail)) { try parse(json) }
    }

    @Test("escapes are resolved only in a key that may be short enough to be known")
    func longEscapes() {
        let name = String(repeating: #"\u0061"#, count: 170_000)
        let shown = String(repeating: "a", count: 120)
        for json in [#"{"\#(name)":1}"#, #"{"\#(name)\x":1}"#] {
            #expect(throws: GatewayError(400, "unknown field \"\(shown)…\"")) { try parse(json) }
        }
    }

    @Test("every cut of a body is refused, and none is read past its end")
    func cuts() {
        let whole = #"{"request":{"a":[1.5e3,"\u00e9",true,null]},"method":"B.C","service":"a"}"#
        for length in 0..<whole.utf8.count {
            let cut = String(decoding: whole.utf8.prefix(length), as: UTF8.self)
            #expect(throws: GatewayError.self) { try parse(cut) }
        }
    }

    @Test("a form holds the same three fields")
    func form() throws {
        let body = "service=ship%70y&method=B.C&request=%7B%22x%22%3A+%22a%2Bb%26%22%7D"
        let envelope = try Envelope(form: ByteBuffer(string: body))
        #expect(String(buffer: envelope.service) == "shippy")
        #expect(String(buffer: envelope.method) == "B.C")
        #expect(envelope.request.map { String(buffer: $0) } == #"{"x": "a+b&"}"#)
    }

    @Test(
        "a form is refused for the same reasons",
        arguments: [
            ("", "service is missing"),
            ("service=s", "method is missing"),
            ("service=s&service=t", "service is given twice"),
            ("service=s&method=m&address=h", "address is not supported: the gateway knows where its services are"),
            ("service=s&metod=m", "unknown field \"metod\""),
            ("service=%zz", "the form has a % without two hexadecimal digits"),
            ("service=s%4", "the form has a % without two hexadecimal digits"),
        ])
    func refusedForm(form: String, detail: String) {
        #expect(throws: GatewayError(400, detail)) { try Envelope(form: ByteBuffer(string: form)) }
    }
}
