import NIOCore
import NIOHTTP1
import RPC

/// A request whose body is still arriving, and what its head said about the connection.
struct RequestDraft {
    private(set) var request: HTTPRequest
    /// Whether the connection outlives this request.
    let isPersistent: Bool
    /// Such a peer must be told that the connection stays open.
    let isHTTP10: Bool
    let declaredBytes: Int?
    private var expectsContinue = false

    /// Rejects what RFC 9112 forbids although the parser accepts it, and what this server does not implement.
    init(head: HTTPRequestHead, peer: String) throws(HTTPRefusal) {
        let isHTTP10 = head.version == .http1_0
        // CONNECT asks for a tunnel; this server is no proxy.
        guard head.method != .CONNECT else { throw .notImplemented }
        var hosts = 0
        var declaredBytes: Int?
        var expectsContinue = false
        var asksUpgrade = false
        var transferEncodings = 0
        var isChunkedAlone = true
        for (name, value) in head.headers {
            // By length first: most names are none of these.
            switch name.utf8.count {
            case 4 where name.isSameFieldName(as: "host"):
                hosts += 1
                // Empty when the target has no authority (RFC 9112 section 3.2).
                let host = value.trimmedOfBlanks
                guard host.isEmpty || Authority.isValid(host.utf8) else { throw .malformed }
            case 6 where name.isSameFieldName(as: "expect"):
                expectsContinue = value.trimmedOfBlanks.hasSameBytes(asAnyCaseOf: "100-continue")
            case 7 where name.isSameFieldName(as: "upgrade"):
                // NIO's parser reads nothing after a request that asks for an upgrade, so it is the last.
                asksUpgrade = true
            case 14 where name.isSameFieldName(as: "content-length"):
                guard let bytes = Int(value.trimmedOfBlanks), bytes >= 0, declaredBytes == nil else { throw .malformed }
                declaredBytes = bytes
            case 17 where name.isSameFieldName(as: "transfer-encoding"):
                transferEncodings += 1
                if !value.trimmedOfBlanks.hasSameBytes(asAnyCaseOf: "chunked") { isChunkedAlone = false }
            default:
                break
            }
        }
        if transferEncodings > 0 {
            // In HTTP/1.0 it serves to smuggle requests past a proxy that reads it differently (RFC 9112 sections 6.1
            // and 11.2).
            guard !isHTTP10 else { throw .malformed }
            if transferEncodings > 1 || !isChunkedAlone {
                throw Self.refusal(ofTransferCodings: head.headers["transfer-encoding"])
            }
        }
        // RFC 9112 section 3.2: exactly one Host in HTTP/1.1.
        guard hosts == 1 || (hosts == 0 && isHTTP10) else { throw .malformed }
        guard let target = RequestTarget(head.uri, method: head.method) else { throw .malformed }
        self.request = HTTPRequest(
            method: head.method, path: target.path, query: target.query, headers: head.headers, peer: peer)
        // The absolute form takes precedence over Host (RFC 9112 section 3.2.2).
        if let authority = target.authority {
            request.headers.replaceOrAdd(name: "host", value: String(authority))
        }
        self.isPersistent = head.isKeepAlive && !asksUpgrade
        self.isHTTP10 = isHTTP10
        self.declaredBytes = declaredBytes
        // RFC 9110 section 10.1.1: a 1.0 client does not know what 100 means.
        self.expectsContinue = expectsContinue && !isHTTP10
    }

    /// Refusal of transfer codings other than a single `chunked`. An unknown coding before a final `chunked` is 501;
    /// anything else leaves the end of the body ambiguous (RFC 9112 sections 6.1 and 6.3).
    static func refusal(ofTransferCodings values: [String]) -> HTTPRefusal {
        var codings: [Substring] = []
        for value in values {
            for coding in value.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
                codings.append(Substring(coding).trimmedOfBlanks)
            }
        }
        func isChunked(_ coding: Substring) -> Bool { coding.hasSameBytes(asAnyCaseOf: "chunked") }
        guard let last = codings.popLast(), isChunked(last),
            codings.allSatisfy({ !$0.isEmpty && !isChunked($0) })
        else { return .malformed }
        return .notImplemented
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
