import Glibc
import NIOCore
import Testing

@testable import HTTP

@Suite("The HTTP/1.1 parser")
struct ParserTests {
    /// Bytes, and what is read in them: a summary of each request, and the rejection behind the last.
    struct Example: Sendable, CustomTestStringConvertible {
        let rule: String
        let text: String
        var requests: [String] = []
        var rejection: HTTPRejection?

        init(_ rule: String, _ text: String, _ requests: String..., rejection: HTTPRejection? = nil) {
            self.rule = rule
            self.text = text
            self.requests = requests
            self.rejection = rejection
        }

        var testDescription: String { "\(rule): \(text.debugDescription)" }
    }

    private static let get = "GET / HTTP/1.1\r\nhost: x\r\n"
    private static let post = "POST / HTTP/1.1\r\nhost: x\r\n"
    private static let chunked = post + "transfer-encoding: chunked\r\n\r\n"

    /// Sections are RFC 9112's where no other RFC is named.
    private static let valid: [Example] = [
        .init("2.2: empty lines before a request are ignored", "\r\n\r\n\(get)\r\n\r\n", "GET / 1.1 open"),
        .init("3.2.1: origin form", "GET /a/b?c=d?e HTTP/1.1\r\nhost: x\r\n\r\n", "GET /a/b?c=d?e 1.1 open"),
        .init(
            "3.2.1: any visible character", "GET /\"<>\\^`{|}' HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET /\"<>\\^`{|}' 1.1 open"),
        .init("3.2.2: absolute form", "GET http://h:80/a HTTP/1.1\r\nhost: x\r\n\r\n", "GET /a 1.1 open"),
        .init("3.2.2: absolute form without a path", "GET HTTPS://h?a HTTP/1.1\r\nhost: x\r\n\r\n", "GET /?a 1.1 open"),
        .init("3.2.4: asterisk form", "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n", "OPTIONS * 1.1 open"),
        .init("3.2: Host may be empty", "GET / HTTP/1.1\r\nhost:\r\n\r\n", "GET / 1.1 open"),
        .init("3.2: HTTP/1.0 needs no Host", "GET / HTTP/1.0\r\n\r\n", "GET / 1.0 close"),
        .init(
            "RFC 9110 9.1: methods of extensions are methods", "PROPFIND / HTTP/1.1\r\nhost: x\r\n\r\n",
            "PROPFIND / 1.1 open"),
        .init(
            "6.2: a length", post + "Content-Length: 3\r\n\r\nabc" + get + "\r\n", "POST / 1.1 open abc",
            "GET / 1.1 open"),
        .init(
            "6.2: a length with zeros, and blanks around", post + "content-length:\t 003 \r\n\r\nabc",
            "POST / 1.1 open abc"),
        .init(
            "6.2: a length with more digits than 64 bits need",
            post + "content-length: 00000000000000000000003\r\n\r\nabc",
            "POST / 1.1 open abc"),
        .init("6.3: no length means no body", post + "\r\n" + get + "\r\n", "POST / 1.1 open", "GET / 1.1 open"),
        .init(
            "6.2: a length of zero", post + "content-length: 0\r\n\r\n" + get + "\r\n", "POST / 1.1 open",
            "GET / 1.1 open"),
        .init("6.2: a body not there in full", post + "content-length: 5\r\n\r\nabc", "POST / 1.1 open abc …"),
        .init("7.1: chunks", chunked + "3\r\nabc\r\n0a\r\n0123456789\r\n0\r\n\r\n", "POST / 1.1 open abc0123456789"),
        .init("7.1: digits in upper case", chunked + "A\r\n0123456789\r\n000\r\n\r\n", "POST / 1.1 open 0123456789"),
        .init("7.1: leading zeros", chunked + "000000000000000000001\r\na\r\n0\r\n\r\n", "POST / 1.1 open a"),
        .init(
            "7.1.1: extensions are ignored", chunked + "1;a;b=c;d=\"e \\\"f\"\r\na\r\n0;x\r\n\r\n", "POST / 1.1 open a"),
        .init(
            "7.1.2: trailers are ignored", chunked + "1\r\na\r\n0\r\nhost: y\r\nx: \r\n\r\n" + get + "\r\n",
            "POST / 1.1 open a", "GET / 1.1 open"),
        .init("7.1: chunks not there in full", chunked + "3\r\nabc\r\n3\r\nd", "POST / 1.1 open abcd …"),
        .init("9.3: close", get + "connection: close\r\n\r\n" + get + "\r\n", "GET / 1.1 close"),
        .init("9.3: close in a list", get + "Connection: a ,\tCLOSE, b\r\n\r\n", "GET / 1.1 close"),
        .init("9.3: close in the second field", get + "connection: a\r\nconnection: close\r\n\r\n", "GET / 1.1 close"),
        .init("9.3: what only looks like close", get + "connection: closed, close x\r\n\r\n", "GET / 1.1 open"),
        .init("9.3: HTTP/1.0 stays on request", "GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n", "GET / 1.0 open"),
        .init("9.3: close wins", "GET / HTTP/1.0\r\nconnection: keep-alive, close\r\n\r\n", "GET / 1.0 close"),
        .init(
            "9.3.2: a pipeline", get + "\r\n" + get + "\r\n" + get + "\r\n", "GET / 1.1 open", "GET / 1.1 open",
            "GET / 1.1 open"),
        .init(
            "RFC 9110 7.8: an upgrade is ignored, and the last request", get + "upgrade: h2c\r\n\r\n" + get + "\r\n",
            "GET / 1.1 close"),
        .init("9.3: no request yet", ""), .init("2.2: no request yet", "\r\n\r"),
        .init("3: half a request line", "GET / HT"), .init("5: half a header", get + "x: y\r\n"),
    ]

    private static let invalid: [Example] =
        [
            // Section 2.2: line ends.
            .init("2.2: a bare LF behind the request line", "GET / HTTP/1.1\nhost: x\r\n\r\n", rejection: .malformed),
            .init("2.2: a bare LF behind a field", "GET / HTTP/1.1\r\nhost: x\n\r\n", rejection: .malformed),
            .init("2.2: a bare LF as the empty line", get + "\n", rejection: .malformed),
            .init("2.2: a bare LF before a request", "\n" + get + "\r\n", rejection: .malformed),
            .init("2.2: a bare CR in a field", get + "x: a\rb\r\n\r\n", rejection: .malformed),
            .init("2.2: two CRs", get + "x: a\r\r\n\r\n", rejection: .malformed),
            .init("2.2: a blank before the first field", "GET / HTTP/1.1\r\n host: x\r\n\r\n", rejection: .malformed),
            // Section 3: the request line.
            .init("3: two spaces", "GET  / HTTP/1.1\r\nhost: x\r\n\r\n", rejection: .malformed),
            .init("3: two spaces", "GET /  HTTP/1.1\r\nhost: x\r\n\r\n", rejection: .malformed),
            .init("3: a tab", "GET\t/ HTTP/1.1\r\nhost: x\r\n\r\n", rejection: .malformed),
            .init("3: a space behind the version", "GET / HTTP/1.1 \r\nhost: x\r\n\r\n", rejection: .malformed),
            .init("3: no version", "GET /\r\nhost: x\r\n\r\n", rejection: .malformed),
            .init("3: no target", "GET HTTP/1.1\r\nhost: x\r\n\r\n", rejection: .malformed),
            .init("3: a blank first", " GET / HTTP/1.1\r\nhost: x\r\n\r\n", rejection: .malformed),
            .init("3: no HTTP at all", "\u{16}\u{3}\u{1}", rejection: .malformed),
            .init("3.1: no token", "G(T / HTTP/1.1\r\nhost: x\r\n\r\n", rejection: .malformed),
            .init("3.2: control characters", "GET /\u{0} HTTP/1.1\r\nhost: x\r\n\r\n", rejection: .malformed),
            .init("3.2: no ASCII", "GET /\u{e9} HTTP/1.1\r\nhost: x\r\n\r\n", rejection: .malformed),
            .init("3.2: a fragment", "GET /#a HTTP/1.1\r\nhost: x\r\n\r\n", rejection: .malformed),
            .init("3.2.2: userinfo", "GET http://u@h/ HTTP/1.1\r\nhost: x\r\n\r\n", rejection: .malformed),
            .init("3.2.2: no host", "GET http:///a HTTP/1.1\r\nhost: x\r\n\r\n", rejection: .malformed),
            .init("3.2.4: asterisk form with GET", "GET * HTTP/1.1\r\nhost: x\r\n\r\n", rejection: .malformed),
            .init("3.2: no Host", "GET / HTTP/1.1\r\n\r\n", rejection: .malformed),
            .init("3.2: two Hosts", get + "Host: x\r\n\r\n", rejection: .malformed),
            .init("3.2: two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nhost: x\r\nhost: x\r\n\r\n", rejection: .malformed),
            .init("3.2: no host in Host", "GET / HTTP/1.1\r\nhost: a b\r\n\r\n", rejection: .malformed),
            // Section 5: fields.
            .init("5.1: a blank before the colon", get + "x : y\r\n\r\n", rejection: .malformed),
            .init("5.1: no colon", get + "x\r\n\r\n", rejection: .malformed),
            .init("5.1: no name", get + ": y\r\n\r\n", rejection: .malformed),
            .init("5.1: a name that is no token", get + "x(: y\r\n\r\n", rejection: .malformed),
            .init("5.2: a folded line", get + "x: a\r\n b\r\n\r\n", rejection: .malformed),
            .init("5.2: a folded line", get + "x: a\r\n\tb\r\n\r\n", rejection: .malformed),
            .init("RFC 9110 5.5: NUL", get + "x: a\u{0}b\r\n\r\n", rejection: .malformed),
            .init("RFC 9110 5.5: DEL", get + "x: \u{7f}\r\n\r\n", rejection: .malformed),
            // Section 6: the body's length.
            .init(
                "6.1: a length and a coding", chunked.replacingEnd("content-length: 3\r\n\r\n"), rejection: .malformed),
            .init(
                "6.1: a coding in HTTP/1.0", "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
                rejection: .malformed),
            .init(
                "6.1: chunked twice", chunked.replacingEnd("transfer-encoding: chunked\r\n\r\n"),
                rejection: .malformed),
            .init("6.1: chunked not last", post + "transfer-encoding: chunked, gzip\r\n\r\n", rejection: .malformed),
            .init("6.1: an empty coding", post + "transfer-encoding:\r\n\r\n", rejection: .malformed),
            .init("6.1: a parameter", post + "transfer-encoding: chunked;a=b\r\n\r\n", rejection: .malformed),
            .init("6.1: another coding", post + "transfer-encoding: gzip, chunked\r\n\r\n", rejection: .notImplemented),
            .init(
                "6.3: a length twice", post + "content-length: 3\r\ncontent-length: 3\r\n\r\nabc",
                rejection: .malformed),
            // Section 9.
            .init("RFC 9110 9.1: case matters", "get / HTTP/1.1\r\nhost: x\r\n\r\n", rejection: .notImplemented),
            .init("RFC 9110 9.1: an unknown method", "BREW / HTTP/1.1\r\nhost: x\r\n\r\n", rejection: .notImplemented),
            .init("RFC 9110 9.3.6: no tunnel", "CONNECT h:1 HTTP/1.1\r\nhost: h:1\r\n\r\n", rejection: .notImplemented),
            .init(
                "9.3.2: a pipeline up to there", get + "\r\nno\r\n\r\n" + get + "\r\n", "GET / 1.1 open",
                rejection: .malformed),
        ]
        + ["HTTP/2", "HTTP/1.", "HTTP/1.x", "http/1.1", "HTTP/1.10", "HTTP/01.1", "HTTQ/1.1", "RTSP/1.0"].map {
            .init("2.3: version \($0)", "GET / \($0)\r\nhost: x\r\n\r\n", rejection: .malformed)
        }
        + ["", "+3", "-3", "3,3", "3 3", "0x3", "3.0", "99999999999999999999x", "-99999999999999999999"].map {
            .init("6.2: length \($0)", post + "content-length: \($0)\r\n\r\nabc", rejection: .malformed)
        }
        + [
            "\r\n", "g\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", " 1\r\n", "1 \r\n", "1\n", "1\r\nab\r\n", "1\r\na\n",
            "1\r\na\r1",
            "1;\r\n", "1; a\r\n", "1;a=\r\n", "1;a=\"b\r\n", "1;a=\"b\"c\r\n", "1;\u{0}\r\n",
            "fffffffffffffffffx\r\n", "fffffffffffffffff;\r\n",
            "0\r\nx\r\n", "0\r\nx y: z\r\n", "0\r\n x: y\r\n", "0\r\nx: \u{0}\r\n", "0\r\n\n",
            "0\r\ncontent-length: 1\r\n", "0\r\nTransfer-Encoding: chunked\r\n",
        ].map { end in
            let body = end.hasPrefix("1\r\na") ? "POST / 1.1 open a …" : "POST / 1.1 open …"
            return .init("7.1: malformed chunks", chunked + end + "\r\n\r\n", body, rejection: .malformed)
        }

    private static let otherVersions: [Example] =
        ["1.2", "1.9"].map { Example("RFC 9110 2.5: \($0)", "GET / HTTP/\($0)\r\nhost: x\r\n\r\n", "GET / 1.1 open") }
        + ["0.9", "2.0", "3.7"].map { version in
            Example("2.3: \(version)", "GET / HTTP/\(version)\r\nhost: x\r\n\r\n", rejection: .versionNotSupported)
        }

    /// Numbers that do not fit into an `Int`, or are the largest that does.
    private static let oversizedLengths: [Example] = [
        "9223372036854775807", "9223372036854775808", "18446744073709551617", "99999999999999999999999",
    ].map { length in
        Example("6.2: length \(length)", post + "content-length: \(length)\r\n\r\nabc", rejection: .bodyTooLarge)
    }

    private static let oversizedChunks: [Example] = [
        "7fffffffffffffff", "ffffffffffffffff", "10000000000000001", "fffffffffffffffff", "0ffffffffffffffff0",
    ].map { size in
        Example("7.1: size \(size)", chunked + "\(size);a\r\n", "POST / 1.1 open …", rejection: .bodyTooLarge)
    }

    @Test(
        "each rule, whole, cut at each place, and byte by byte",
        arguments: valid + invalid + otherVersions + oversizedLengths + oversizedChunks)
    func rules(example: Example) {
        let bytes = Array(example.text.utf8)
        let cuts = [[], Array(0...bytes.count)] + (0...bytes.count).map { [$0] }
        for cuts in cuts {
            let reading = Reading(bytes, cuts: cuts)
            #expect(reading.requests.map(\.summary) == example.requests, "cut at \(cuts)")
            #expect(reading.rejection == example.rejection, "cut at \(cuts)")
        }
    }

    @Test(
        "the end of the input within a request is seen",
        arguments: [
            ("", false), ("\r\n", false), (get + "\r\n", false), (post + "content-length: 1\r\n\r\na", false),
            ("G", true),
            (get, true), (post + "content-length: 1\r\n\r\n", true), (chunked + "1\r\na\r\n0\r\n", true),
            ("no\r\n", false),
        ])
    func ends(text: String, isCut: Bool) {
        #expect(Reading(Array(text.utf8)).isCut == isCut)
    }

    @Test("fields are kept with their values, without the blanks around them; absolute targets replace Host")
    func fields() {
        let text = "GET http://h:1/ HTTP/1.1\r\nx:\r\nHost: x\r\nX-Y:\t a b \t\r\nx: \u{e9}:\r\n\r\n"
        #expect(Reading(Array(text.utf8)).requests.first?.fields == ["x: ", "x-y: a b", "x: \u{e9}:", "host: h:1"])
    }

    @Test("100 (Continue) is expected by who says so in HTTP/1.1", arguments: [("1.1", true), ("1.0", false)])
    func expectation(version: String, isExpected: Bool) {
        let text = "POST / HTTP/\(version)\r\nhost: x\r\nExpect:  100-Continue \r\ncontent-length: 1\r\n\r\n"
        #expect(Reading(Array(text.utf8)).requests.first?.expectsContinue == isExpected)
    }

    @Test(
        "100 (Continue) is expected by a list that contains it, in whichever field it stands",
        arguments: [
            ("100-continue, foo", true), ("foo ,\t100-Continue", true), ("100-continue\r\nexpect: foo", true),
            ("foo\r\nExpect: 100-continue", true), ("", false), ("foo", false), ("100-continue foo", false),
            ("100-continued", false), ("1\u{80}0-continue", false),
        ])
    func expectationInList(value: String, isExpected: Bool) {
        let text = "POST / HTTP/1.1\r\nhost: x\r\nexpect: \(value)\r\ncontent-length: 1\r\n\r\n"
        #expect(Reading(Array(text.utf8)).requests.first?.expectsContinue == isExpected)
    }

    @Test("the limits hold for what is there and for what has not ended yet, and each request has its own")
    func limits() {
        let limits = HTTP1Parser.Limits(headBytesMax: 100, fieldsMax: 4)
        func rejection(_ text: String) -> HTTPRejection? {
            let bytes = Array(text.utf8)
            let whole = Reading(bytes, limits: limits).rejection
            for cut in 0...bytes.count { #expect(Reading(bytes, cuts: [cut], limits: limits).rejection == whole) }
            return whole
        }
        let long = String(repeating: "a", count: 80)
        #expect(rejection("GET / HTTP/1.1\r\nhost: x\r\nx: \(long.dropFirst(12))\r\n\r\n") == nil)
        #expect(rejection("GET / HTTP/1.1\r\nhost: x\r\nx: \(long)\r\n\r\n") == .headersTooLarge)
        for open in ["GET /\(long)\(long)", Self.get + "x: \(long)\(long)", Self.get + long + long] {
            #expect(rejection(open) == .headersTooLarge)
        }
        let many = String(repeating: "x: y\r\n", count: 3)
        #expect(rejection(Self.get + many + "\r\n") == nil)
        #expect(rejection(Self.get + many + "x: y\r\n\r\n") == .headersTooLarge)
        let chunked = Self.chunked + "1\r\na\r\n"
        #expect(rejection(chunked + "0\r\nx: y\r\nx: y\r\n\r\n" + Self.get + "\r\n") == nil)
        #expect(rejection(chunked + "0\r\n\(many)\r\n") == .headersTooLarge)
        #expect(rejection(chunked + "0;\(long)\r\n\r\n") == .headersTooLarge)
        #expect(rejection(chunked + String(repeating: "1;aaaaaaaaa\r\na\r\n", count: 10)) == .headersTooLarge)
        #expect(rejection(chunked + "1;\(long)\(long)") == .headersTooLarge)
        // A chunk's size may have 16 digits more than the limit leaves, which is 44 bytes here.
        let zeros = String(repeating: "0", count: 60)
        #expect(rejection(chunked + zeros + "\r\n\r\n") == nil)
        #expect(rejection(chunked + zeros + "0\r\n\r\n") == .headersTooLarge)
        #expect(rejection(chunked + zeros + zeros) == .headersTooLarge)
        #expect(rejection(String(repeating: "\r\n", count: 200) + Self.get + "\r\n") == nil)
    }

    @Test(
        "a request that comes byte by byte costs as many steps as bytes",
        arguments: [get + "x: ", "GET /", chunked + "1;", chunked + "0\r\nx: "])
    func linear(start: String) {
        let bytes = Array((start + String(repeating: "a", count: 16_000)).utf8)
        let began = Self.processorTime()
        let reading = Reading(bytes, cuts: Array(0..<bytes.count))
        let elapsed = Self.processorTime() - began
        #expect(reading.rejection == nil)
        // 16,000 steps take a few hundredths of a second in a debug build, and 128 million would take a minute.
        #expect(elapsed < .seconds(2), "\(elapsed)")
    }

    /// Processor time of this thread.
    private static func processorTime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    @Test("a head in a large buffer is copied, so that a waiting request does not keep the buffer")
    func largeBuffers() {
        for bytes in [100, 60_000] {
            var input = ByteBuffer(string: Self.get + "x: y\r\n\r\n")
            input.reserveCapacity(bytes)
            var parser = HTTP1Parser(limits: Reading.limits)
            guard case .head(let draft) = parser.next(&input) else {
                Issue.record("no head")
                return
            }
            #expect(draft.request.headers.lines.storageCapacity <= 4 * 1_024)
            #expect(draft.request.headers["x"] == ["y"])
        }
    }
}

extension String {
    /// A head with further fields.
    fileprivate func replacingEnd(_ fields: String) -> String {
        dropLast(1) + fields
    }
}
