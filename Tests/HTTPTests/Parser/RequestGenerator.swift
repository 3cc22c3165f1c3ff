import TestSupport

/// Makes HTTP/1 requests that are valid, nearly valid, or neither. The same for the same seed.
struct RequestGenerator {
    private var numbers: SeededNumbers

    init(seed: UInt64) {
        numbers = SeededNumbers(seed: seed)
    }

    // MARK: Choices

    private mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &numbers) }
    private mutating func oneIn(_ count: Int) -> Bool { below(count) == 0 }
    private mutating func one(of all: [String]) -> String { all[below(all.count)] }

    /// Usually the first, now and then one of the others.
    private mutating func usually(_ usual: String, _ others: [String]) -> String {
        oneIn(40) ? one(of: others) : usual
    }

    /// Where to cut so many bytes into pieces.
    mutating func cuts(_ count: Int) -> [Int] {
        guard count > 0 else { return [] }
        return (0..<(1 + below(8))).map { _ in below(count) }.sorted()
    }

    // MARK: Requests

    /// One to three requests behind each other, a third of the time with bytes changed.
    mutating func bytes() -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0...below(3) { bytes += Array(request().utf8) }
        return oneIn(3) ? mutated(bytes) : bytes
    }

    private mutating func request() -> String {
        let end = usually("\r\n", ["\n", "\r", "\r\r\n", " \r\n"])
        let body = String(repeating: one(of: ["a", "\r\n", "GET / HTTP/1.1\r\n", "0\r\n\r\n"]), count: below(4))
        var text = usually("", ["\r\n", "\r\n\r\n", "\n", "\r", " "]) + line() + end
        text += usually(
            "host: x\r\n", ["", "host: x\r\nHost: y\r\n", "host: a b\r\n", "host:\r\n", "Host: [::1]:80\r\n"])
        for _ in 0..<below(4) { text += field() + end }
        switch below(4) {
        case 0:
            return text + "\r\n"
        case 1:
            return text + "content-length: \(length(body.utf8.count))\r\n\r\n" + body
        case 2:
            let coding = usually(
                "chunked",
                ["Chunked", "gzip, chunked", "chunked, gzip", "chunked\t", " chunked ", "chunked, chunked", "x"])
            return text + "Transfer-Encoding: \(coding)\r\n\r\n" + chunks(body)
        default:
            return text + "\r\n"
        }
    }

    private mutating func line() -> String {
        let space = usually(" ", ["  ", "\t", ""])
        let method = usually(
            one(of: ["GET", "POST", "HEAD", "OPTIONS", "DELETE"]),
            ["get", "FOO", "CONNECT", "PRI", "QUERY", "DESCRIBE", "M-SEARCH", "G(T", "SOURCE", "PATCH", ""])
        let target = usually(
            one(of: ["/", "/a?b=c", "/%72pc", "*", "http://h:80/p?q", "/a\"<>\\^`{|}"]),
            [
                "", "a", "/#f", "http://", "https://u@h/", "/\u{e9}", "/\u{7f}", "HTTP://[::1]", "mailto:a", "/\u{0}",
                "h:443",
            ])
        let version = usually(
            one(of: ["HTTP/1.1", "HTTP/1.1", "HTTP/1.0"]),
            [
                "HTTP/1.2", "HTTP/0.9", "HTTP/2.0", "http/1.1", "HTTP/1.10", "RTSP/1.0", "ICE/1.0", "HTTP/1", "",
                "HTTP/1.1 ",
            ])
        return method + space + target + usually(" ", ["  ", "\t", ""]) + version
    }

    private mutating func field() -> String {
        let name = usually(
            one(of: ["x", "X-A", "accept", "Connection", "expect", "upgrade", "content-type", "te"]),
            [
                "content-length", "transfer-encoding", "x y", "", "x ", " x", "\u{e9}", "x\u{0}", "(x)", "host",
                "content_length",
            ])
        let value = usually(
            one(of: ["", "a", "close", "keep-alive", "a, close", "100-continue", "chunked", "0", "upgrade, x"]),
            ["a\u{0}b", "a\rb", "a\r\n b", "\u{1}", "\u{7f}", "\u{e9}", "close\t", "a\u{b}", "5", "+1", "close x"])
        return name + usually(":", [" :", "", "::"]) + one(of: [" ", "", "\t", "  "]) + value + one(of: ["", "", " "])
    }

    private mutating func length(_ count: Int) -> String {
        usually(
            "\(count)",
            [
                "\(count + 1)", "+\(count)", "-\(count)", "0\(count)", "\(count), \(count)", "", "0x1", "\(count)\t",
                "\(count) ",
                "1\(count)", "99999999999999999999", "9223372036854775807", "\(count)\r\ncontent-length: \(count)",
            ])
    }

    private mutating func chunks(_ body: String) -> String {
        var text = ""
        for piece in [body, one(of: ["", "b", "cd\n"])] where !piece.isEmpty {
            let digits = String(piece.utf8.count, radix: 16, uppercase: oneIn(2))
            let size = usually(
                digits,
                ["0\(digits)", "000000000000000000\(digits)", "+\(digits)", "\(digits) ", "g", "", "ffffffffffffffff"])
            let extensions = usually(
                "",
                [
                    ";a", ";a=b", ";a=\"b c\"", ";a=\"\\\"\"", ";", ";;", ";a=", "; a", " ;a", ";a=b\"c\"", ";a=\"b\"c",
                    ";a=\"b",
                ])
            text += size + extensions + usually("\r\n", ["\n", "\r"]) + piece + usually("\r\n", ["\n", "", "\r"])
        }
        let trailers = usually(
            "", ["x: y\r\n", "content-length: 5\r\n", "x y: z\r\n", " x\r\n", "transfer-encoding: a\r\n"])
        return text + usually("0", ["00", "0;a", "0 "]) + "\r\n" + trailers + usually("\r\n", ["\n", "\r", ""])
    }

    // MARK: Mutations

    private mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        let nasty = [
            "\r", "\n", "\r\n", "\r\n\r\n", " ", "\t", ":", "\u{0}", "\u{7f}", "0", ";", ",", "chunked", "\r\n ",
            "HTTP/1.1",
        ]
        for _ in 0...below(3) where !bytes.isEmpty {
            let at = below(bytes.count)
            let end = min(bytes.count, at + 1 + below(8))
            switch below(5) {
            case 0: bytes[at] = UInt8(truncatingIfNeeded: below(256))
            case 1: bytes.removeSubrange(at..<end)
            case 2: bytes.insert(contentsOf: Array(one(of: nasty).utf8), at: at)
            case 3: bytes.insert(contentsOf: Array(bytes[at..<end]), at: below(bytes.count))
            default: bytes[at] ^= 0x20
            }
        }
        return bytes
    }
}
