import Testing

@testable import RPC

@Suite("Text from outside")
struct OutsideTextTests {
    @Test("only the same bytes are equal, even where Unicode calls two texts equal")
    func sameBytes() {
        #expect("é" == "e\u{301}")
        #expect(!"é".hasSameBytes(as: "e\u{301}"))
        #expect("é".hasSameBytes(as: "é") && "vessel".hasSameBytes(as: "vessel"))
        #expect(!"vessels".hasSameBytes(as: "vessel") && !"vesse".hasSameBytes(as: "vessel"))
        #expect(
            "IDENTITY".hasSameBytes(asAnyCaseOf: "identity") && !"identit\u{131}".hasSameBytes(asAnyCaseOf: "identity"))
        // U+212A, the Kelvin sign, is a k in lower case; its bytes are not.
        #expect(!"\u{212a}".hasSameBytes(asAnyCaseOf: "k"))
        #expect("bearer x".startsWithBytes("bearer") && !"bear".startsWithBytes("bearer"))
        #expect(ByteKey("é") != ByteKey("e\u{301}") && ByteKey("a") == ByteKey("a"))
    }

    @Test(
        "blanks around a text are removed, and no other spaces",
        arguments: [("", ""), (" ", ""), (" \t a b\t ", "a b"), ("a", "a"), ("\u{a0}a", "\u{a0}a"), ("\ta", "a")])
    func trimmed(text: String, expected: String) {
        #expect(text.trimmedOfBlanks.hasSameBytes(as: expected))
    }

    @Test("letters and digits are those of ASCII")
    func alphanumeric() {
        let found = "azAZ09`{@[/:_-ßé".utf8.filter { $0.isAlphanumericASCII }
        #expect(found == Array("azAZ09".utf8))
    }

    @Test("a text is cut between scalars")
    func shortened() {
        #expect("abc".shortened(bytesMax: 3) == "abc")
        #expect("abcd".shortened(bytesMax: 3) == "abc…")
        #expect("aéé".shortened(bytesMax: 4).hasSameBytes(as: "aé…"))
        #expect("😀".shortened(bytesMax: 3) == "…")
        let marks = "a" + String(repeating: "\u{301}", count: 1_000)
        #expect(marks.shortened().utf8.count <= OutsideText.shownBytesMax + "…".utf8.count)
    }

    @Test(
        "a token is found after its scheme, whatever the case and the number of spaces",
        arguments: [
            ("Bearer t", "t"), ("bearer  t", "t"), ("BEARER   t u", "t u"), ("Bearer", nil), ("Bearer ", nil),
            ("Basic t", nil), ("Bearert", nil), ("", nil), (" Bearer t", "t"),
        ] as [(String, String?)])
    func bearerTokens(value: String, token: String?) {
        let metadata: Metadata = ["authorization": value]
        #expect(metadata.bearerToken == token)
    }

    @Test(
        "host and port are separated by bytes",
        arguments: [
            ("vessel:8080", "vessel", 8080), (":80", "", 80), ("[::1]:8080", "::1", 8080), ("é:1", "é", 1),
        ])
    func hostPort(text: String, host: String, port: Int) {
        #expect(HostPort(text) == HostPort(host: host, port: port))
        #expect(HostPort(text)?.description == text)
    }

    @Test(
        "an invalid host and port is rejected",
        arguments: [
            "", "a", "a:", "a:b", "::1:80", "[]:80", "[a]:80", "[:80", "a:65536", "a:+5", "a b:1", "u@h:1",
            "a:\u{0661}",
        ])
    func noHostPort(text: String) {
        #expect(HostPort(text) == nil)
    }

    @Test("an id that is too long for a call is listed as a text behind all that begin like it")
    func listedIDs() {
        let longest = String(repeating: "i", count: ListedID.bytesMax)
        #expect(ListedID.bounded(longest).hasSameBytes(as: longest))
        for tail in ["i", "😀", "\u{10fffe}"] {
            let bounded = ListedID.bounded(longest + tail)
            #expect(bounded.utf8.count <= ListedID.bytesMax)
            #expect((longest + tail).utf8.lexicographicallyPrecedes(bounded.utf8))
            #expect(ListedID.bounded(bounded).hasSameBytes(as: bounded))
        }
        let cutWithin = ListedID.bounded("i" + String(repeating: "é", count: ListedID.bytesMax))
        #expect(cutWithin.utf8.count <= ListedID.bytesMax && cutWithin.utf8.count > ListedID.bytesMax - 4)
    }
}
