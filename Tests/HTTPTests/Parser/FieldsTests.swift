import NIOCore
import Testing

@testable import HTTP

@Suite("Header fields")
struct FieldsTests {
    @Test("names are found in any case, recognized or not, and all of their values in order")
    func names() {
        let fields: HTTPFields = ["X-Request-ID": "1", "x-other": "2", "Token": " 3\t", "token": "4", "X-OTHER": ""]
        #expect(fields[.requestID] == "1" && fields["x-request-id"] == ["1"])
        #expect(fields[.token] == "3" && fields.values(of: .token) == ["3", "4"] && fields["TOKEN"] == ["3", "4"])
        #expect(fields["x-other"] == ["2", ""] && fields.first(name: "x-other") == "2")
        #expect(fields[.host] == nil && fields.values(of: .host) == [] && fields["host"] == [])
        #expect(fields.map { $0.name } == ["x-request-id", "x-other", "token", "token", "x-other"])
    }

    @Test("every recognized name is recognized, and not what is only as long")
    func recognized() {
        for number in UInt8.min...15 {
            guard let name = HTTPFields.Name(rawValue: number) else {
                Issue.record("\(number)")
                continue
            }
            let text = name.text.description
            #expect(Array(text.utf8).withUnsafeBytes { HTTPFields.Name($0) } == name)
            #expect(Array(text.uppercased().utf8).withUnsafeBytes { HTTPFields.Name($0) } == name)
            #expect(Array(("y" + text.dropFirst()).utf8).withUnsafeBytes { HTTPFields.Name($0) } == nil)
            #expect(Array((text.dropLast() + "!").utf8).withUnsafeBytes { HTTPFields.Name($0) } == nil)
        }
        #expect(HTTPFields.Name(rawValue: 16) == nil)
    }

    @Test("one value of the same bytes is the only one")
    func only() {
        var fields: HTTPFields = ["content-type": "application/json"]
        #expect(fields.isOnly(.contentType, "application/json"))
        #expect(!fields.isOnly(.contentType, "application/jso") && !fields.isOnly(.host, ""))
        fields.add(name: "content-type", value: "application/json")
        #expect(!fields.isOnly(.contentType, "application/json"))
    }

    @Test("what would split a message is left out", arguments: ["a\r\nb: c", "a\nb", "a\rb", "a\u{0}b", "\u{7f}"])
    func injection(text: String) {
        let fields: HTTPFields = ["x": text, text: "y", "": "z", "a b": "c", "a:": "d", "good": "e"]
        #expect(fields.map { "\($0.name)=\($0.value)" } == ["good=e"])
    }

    @Test("a field replaces all of its name")
    func replace() {
        var fields: HTTPFields = ["host": "a", "x": "1", "Host": "b"]
        fields.replace(.host, by: "c")
        #expect(fields["host"] == ["c"] && fields[.host] == "c" && fields["x"] == ["1"])
    }

    @Test("fields of one message are added to another's")
    func append() {
        var fields: HTTPFields = ["x": "1"]
        fields.add(contentsOf: ["y": "2", "token": "3"])
        #expect(fields.map { $0.value } == ["1", "2", "3"] && fields[.token] == "3")
    }

    @Test("every status in use has a reason, and an unknown one none")
    func reasons() {
        for code in [200, 204, 304, 400, 401, 404, 405, 408, 409, 412, 413, 415, 429, 431, 499, 500, 501, 503, 504] {
            #expect(!HTTPResponse.Status(code).reasonPhrase.isEmpty, "\(code)")
        }
        #expect(HTTPResponse.Status(799).reasonPhrase == "")
    }
}
