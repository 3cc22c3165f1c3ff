import NIOCore
import NIOHTTP1

/// A request whose body is still arriving, and what its head said about the connection.
struct RequestDraft {
    private(set) var request: HTTPRequest
    /// Whether the connection outlives this request.
    let isPersistent: Bool
    /// Such a peer must be told that the connection stays open.
    let isHTTP10: Bool
    let declaredBytes: Int?
    private var expectsContinue = false

    /// `nil` for what RFC 9112 forbids and the parser lets pass.
    init?(head: HTTPRequestHead, peer: String) {
        var hosts = 0
        var declaredBytes: Int?
        var expectsContinue = false
        var asksUpgrade = head.method == .CONNECT
        for (name, value) in head.headers {
            // By length first: most names are none of these.
            switch name.utf8.count {
            case 4 where name.isSameFieldName(as: "host"):
                hosts += 1
            case 6 where name.isSameFieldName(as: "expect"):
                expectsContinue = value.isSameFieldName(as: "100-continue")
            case 7 where name.isSameFieldName(as: "upgrade"):
                // NIO's parser reads nothing after a request that asks for an upgrade, so it is the last.
                asksUpgrade = true
            case 14 where name.isSameFieldName(as: "content-length"):
                guard let bytes = Int(value), bytes >= 0, declaredBytes == nil else { return nil }
                declaredBytes = bytes
            case 17 where name.isSameFieldName(as: "transfer-encoding"):
                // Only plain chunked, and not from HTTP/1.0: everything else is how requests are smuggled past a
                // proxy that reads it differently (RFC 9112 sections 6.1 and 11.2).
                guard value.isSameFieldName(as: "chunked"), head.version == .http1_1 else { return nil }
            default:
                break
            }
        }
        let isHTTP10 = head.version == .http1_0
        // RFC 9112 section 3.2: exactly one Host in HTTP/1.1.
        guard hosts == 1 || (hosts == 0 && isHTTP10) else { return nil }
        guard let (path, query) = Self.split(target: head.uri, method: head.method) else { return nil }
        self.request = HTTPRequest(method: head.method, path: path, query: query, headers: head.headers, peer: peer)
        self.isPersistent = head.isKeepAlive && !asksUpgrade
        self.isHTTP10 = isHTTP10
        self.declaredBytes = declaredBytes
        // RFC 9110 section 10.1.1: a 1.0 client does not know what 100 means.
        self.expectsContinue = expectsContinue && !isHTTP10
    }

    mutating func append(_ body: inout ByteBuffer) {
        // The peer did not wait to be asked.
        expectsContinue = false
        if request.body.readableBytes == 0 {
            // Most bodies come in one piece: it is taken as it is, a slice of what was read.
            request.body = body
        } else {
            request.body.writeBuffer(&body)
        }
    }

    /// Whether the peer waits to be told to send its body; true once.
    mutating func takeContinue() -> Bool {
        guard expectsContinue else { return false }
        expectsContinue = false
        return true
    }

    /// Path and query of a request target: origin form, absolute form, or `*` (RFC 9112 section 3.2).
    static func split(target: String, method: HTTPMethod) -> (path: String, query: String?)? {
        var rest = target[...]
        if rest.utf8.first != UInt8(ascii: "/") {
            if target == "*" { return method == .OPTIONS ? ("*", nil) : nil }
            guard let scheme = Self.schemeLength(of: target) else { return nil }
            rest = rest.dropFirst(scheme)
            // "http://host" and "http://host?query" mean the path "/".
            rest = rest.drop { $0 != "/" && $0 != "?" }
            guard rest.utf8.first == UInt8(ascii: "/") else {
                return ("/", rest.isEmpty ? nil : String(rest.dropFirst()))
            }
        }
        guard let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?")) else { return (String(rest), nil) }
        return (String(rest[..<mark]), String(rest[rest.utf8.index(after: mark)...]))
    }

    private static func schemeLength(of target: String) -> Int? {
        for scheme in ["http://", "https://"] where target.utf8.count > scheme.utf8.count {
            if target.prefix(scheme.utf8.count).lowercased() == scheme { return scheme.utf8.count }
        }
        return nil
    }
}

extension String {
    /// Whether two ASCII names differ at most in case. `name` must be lower case.
    func isSameFieldName(as name: StaticString) -> Bool {
        guard utf8.count == name.utf8CodeUnitCount else { return false }
        var expected = name.utf8Start
        for byte in utf8 {
            let isUpper = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
            guard (isUpper ? byte | 0x20 : byte) == expected.pointee else { return false }
            expected += 1
        }
        return true
    }
}
