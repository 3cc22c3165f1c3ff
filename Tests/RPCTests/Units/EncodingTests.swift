import Testing

@testable import RPC

@Suite("Percent encoding of status messages")
struct PercentEncodingTests {
    private func decode(_ text: String) -> String {
        Array(text.utf8).withUnsafeBytes { PercentEncoding.decode(message: $0) }
    }

    @Test(
        "what is encoded is plain ASCII and comes back",
        arguments: ["", "plain ~ text!", "100 %", "%41", "Grüße, 船", "a\r\nb\u{0}\u{7f}", "🚢"])
    func roundTrip(text: String) {
        let encoded = PercentEncoding.encode(message: text)
        for byte in encoded.utf8 { #expect(byte >= 0x20 && byte <= 0x7e) }
        #expect(decode(encoded) == text)
    }

    @Test("upper case digits are written, both cases are read")
    func cases() {
        #expect(PercentEncoding.encode(message: "ü%") == "%C3%BC%25")
        #expect(decode("%c3%bC") == "ü")
    }

    @Test(
        "a percent sign that begins no code stays",
        arguments: [("%", "%"), ("a%4", "a%4"), ("%zz", "%zz"), ("%4g%41", "%4gA"), ("%%41", "%A")])
    func malformed(text: String, expected: String) {
        #expect(decode(text) == expected)
    }

    @Test("bytes that are no UTF-8 are replaced")
    func notUTF8() {
        #expect(decode("%ff") == "\u{fffd}")
    }
}

@Suite("Percent encoding of URIs and forms")
struct PercentDecodingTests {
    @Test(
        "codes are resolved, digits of both cases",
        arguments: [("", ""), ("a+b", "a+b"), ("%41%7a", "Az"), ("%C3%bc", "ü"), ("%2541", "%41")])
    func decoding(text: String, expected: String) {
        #expect(PercentEncoding.decode(text[...]) == expected)
    }

    @Test("what is malformed, or no UTF-8, is refused", arguments: ["%", "a%4", "%zz", "%4g", "%%41", "%ff"])
    func malformed(text: String) {
        #expect(PercentEncoding.decode(text[...]) == nil)
    }

    @Test("in forms a plus sign is a space, and an encoded one is itself")
    func forms() {
        let decoded = Array("a+b%2B".utf8).withUnsafeBytes { PercentEncoding.decode($0, plusIsSpace: true) }
        #expect(decoded == Array("a b+".utf8))
    }
}

@Suite("Hexadecimal digits")
struct HexadecimalTests {
    @Test("digits are written in lower case and read in both")
    func digits() {
        #expect(Hexadecimal.text([0, 0x9a, 0xff]) == "009aff")
        #expect(Hexadecimal.text(0x0123_4567_89ab_cdef, 1) == "0123456789abcdef0000000000000001")
        for value in UInt8(0)..<16 { #expect(Hexadecimal.value(of: Hexadecimal.digit(value)) == value) }
        #expect(Hexadecimal.value(of: UInt8(ascii: "F")) == 15)
        for other in "/:@G`g".utf8 { #expect(Hexadecimal.value(of: other) == nil) }
    }
}

@Suite("Header lists")
struct HeaderListTests {
    @Test("fields lie one after the other in one array")
    func layout() {
        var list = HeaderList()
        list.add(":status", "200")
        list.add("a", "", neverIndexed: true)
        list.add("name" as String, "value", neverIndexed: true)
        #expect(String(decoding: list.bytes, as: UTF8.self) == ":status200anamevalue")
        #expect(list.fields.map(\.nameStart) == [0, 10, 11])
        #expect(list.fields.map(\.valueLength) == [3, 0, 5])
        #expect(list.fields.map(\.neverIndexed) == [false, true, true])
        list.removeAll()
        #expect(list.fields.isEmpty)
        #expect(list.bytes.isEmpty)
    }
}

@Suite("Host and port")
struct HostPortTests {
    @Test(
        "addresses as flags write them",
        arguments: [
            ("vessel:8080", "vessel", 8080), (":8080", "", 8080), ("[::1]:0", "::1", 0),
            ("127.0.0.1:65535", "127.0.0.1", 65535),
        ])
    func good(text: String, host: String, port: Int) throws {
        let read = try #require(HostPort(text))
        #expect(read.host == host)
        #expect(read.port == port)
        #expect(read.description == text)
    }

    @Test(
        "what is no address is refused",
        arguments: [
            "", "vessel", "vessel:", "vessel:x", "vessel:-1", "vessel:65536", "vessel:99999999999999999999", "::1:80",
            "[]:80", "[::1]", "a b:80", "user@host:80", "http://host:80", "a\n:80", "[a]:80", "a]:80", "[::1:80",
        ])
    func bad(text: String) {
        #expect(HostPort(text) == nil)
    }
}
