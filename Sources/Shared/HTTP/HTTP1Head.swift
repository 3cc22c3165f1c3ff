import NIOCore
import RPC

/// The request line and header section of an HTTP/1 request, as they are read line by line (RFC 9112 sections 3, 5 and
/// 6). Offsets are in the input, which begins with the request line.
struct HTTP1Head {
    /// How long the body is (RFC 9112 section 6.3).
    enum Body {
        case empty
        case length(Int)
        case chunked
    }

    private var method = HTTPRequest.Method.GET
    private var target = 0..<0
    private var isHTTP10 = false
    private var fieldsStart = 0
    private var index = HTTPFields.Index()
    private var contentLength: Int?
    private var isChunked = false
    private var expectsContinue = false
    /// What `connection` says.
    private var closes = false
    private var staysOpen = false

    var body: Body {
        if isChunked { return .chunked }
        guard let contentLength, contentLength > 0 else { return .empty }
        return .length(contentLength)
    }

    // MARK: Lines

    /// `method SP request-target SP HTTP-version`, and no other blanks.
    mutating func readRequestLine(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(HTTPRejection) {
        let space = UInt8(ascii: " ")
        // A line ends with CRLF, which is no part of any of these.
        let methodEnd = bytes.endOfToken(from: line.lowerBound)
        guard methodEnd > line.lowerBound, methodEnd < line.upperBound, bytes[methodEnd] == space else {
            throw .malformed
        }
        var at = methodEnd + 1
        while at < line.upperBound, bytes[at].isTargetByte { at += 1 }
        target = (methodEnd + 1)..<at
        guard !target.isEmpty, at < line.upperBound, bytes[at] == space else { throw .malformed }
        let version = UnsafeRawBufferPointer(rebasing: bytes[(at + 1)..<line.upperBound])
        isHTTP10 = try Self.minorVersion(version) == 0
        let name = UnsafeRawBufferPointer(rebasing: bytes[line.lowerBound..<methodEnd])
        // CONNECT asks for a tunnel; this server is no proxy.
        guard let method = HTTPRequest.Method(registered: name), method != .CONNECT else { throw .notImplemented }
        self.method = method
        fieldsStart = line.upperBound + 2
    }

    /// The minor version of HTTP/1 in `HTTP-version`. Those above 1 mean the same as 1.1 (RFC 9110 section 2.5).
    private static func minorVersion(_ text: UnsafeRawBufferPointer) throws(HTTPRejection) -> UInt8 {
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard text.count == 8, UnsafeRawBufferPointer(rebasing: text[0..<5]).equals("HTTP/"),
            digits.contains(text[5]), text[6] == UInt8(ascii: "."), digits.contains(text[7])
        else { throw .malformed }
        guard text[5] == UInt8(ascii: "1") else { throw .versionNotSupported }
        return text[7] - UInt8(ascii: "0")
    }

    /// Reads a field line whose grammar was checked.
    ///
    /// - Parameter start: where its name begins.
    mutating func readField(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, _ field: UnsafeRawBufferPointer.FieldLine
    ) throws(HTTPRejection) {
        let colon = field.colon
        guard let known = HTTPFields.Name(UnsafeRawBufferPointer(rebasing: bytes[start..<colon])) else { return }
        let value = UnsafeRawBufferPointer(rebasing: bytes[(colon + 1)..<field.end]).trimmedOfBlanks
        switch known {
        case .host:
            // Exactly one, empty when the target has no authority (RFC 9112 section 3.2).
            guard !index.contains(.host), value.isEmpty || Authority.isValid(value) else { throw .malformed }
        case .contentLength:
            guard !index.contains(.contentLength), let length = value.contentLength else { throw .malformed }
            contentLength = length
        case .transferEncoding:
            isChunked = !index.contains(.transferEncoding) && value.isSameWord(as: "chunked")
        case .connection:
            if value.listContains("close") { closes = true }
            if value.listContains("keep-alive") { staysOpen = true }
        case .expect:
            if value.listContains("100-continue") { expectsContinue = true }
        default:
            break
        }
        index.add(known, at: colon + 1 - fieldsStart)
    }

    /// Trailers are ignored, but one that says where a body ends is an attempt to have it read in two ways.
    static func checkTrailer(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(HTTPRejection) {
        let field = try check(bytes, line)
        switch HTTPFields.Name(UnsafeRawBufferPointer(rebasing: bytes[line.lowerBound..<field.colon])) {
        case .contentLength, .transferEncoding: throw .malformed
        default: break
        }
    }

    /// Checks the grammar of a field line. A line that continues the one before it (`obs-fold`) begins with a blank, and
    /// so has no name.
    ///
    /// - Parameter line: a line without its CRLF, which is there too.
    static func check(
        _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>
    ) throws(HTTPRejection) -> UnsafeRawBufferPointer.FieldLine {
        guard let field = bytes.fieldLine(at: line.lowerBound), field.end == line.upperBound else { throw .malformed }
        return field
    }

    // MARK: The whole head

    /// A slice keeps the whole buffer that it is of. From a larger one than this, the fields are copied.
    private static let sharedBytesMax = 4 * 1024

    /// The request so far. Inlined, as its result is large and would be copied on its way out.
    ///
    /// - Parameters:
    ///   - input: begins with the request line.
    ///   - length: bytes of the head, the empty line included.
    @inline(__always)
    func draft(from input: ByteBuffer, length: Int) throws(HTTPRejection) -> RequestDraft {
        let start = input.readerIndex
        guard var lines = input.getSlice(at: start + fieldsStart, length: length - 2 - fieldsStart) else {
            throw .malformed
        }
        if lines.storageCapacity > Self.sharedBytesMax { lines = ByteBuffer(bytes: lines.readableBytesView) }
        var fields = HTTPFields(lines: lines, index: index)
        if index.contains(.transferEncoding) {
            // In HTTP/1.0, or together with a length, it serves to smuggle requests past a proxy that reads it differently
            // (RFC 9112 sections 6.1, 6.3 and 11.2).
            guard !isHTTP10, contentLength == nil else { throw .malformed }
            guard isChunked else { throw Self.rejection(ofTransferCodings: fields.values(of: .transferEncoding)) }
        }
        guard index.contains(.host) || isHTTP10, let target = Self.target(target, in: input, method)
        else { throw .malformed }
        // The length may be a larger number.
        guard contentLength != Int.max else { throw .bodyTooLarge }
        // The absolute form takes precedence over Host (RFC 9112 section 3.2.2).
        if let authority = target.authority { fields.replace(.host, by: String(authority)) }
        let isPersistent = !closes && (staysOpen || !isHTTP10)
        return RequestDraft(
            request: HTTPRequest(method: method, path: target.path, query: target.query, headers: consume fields),
            // Who asks for an upgrade may go on in the other protocol.
            isPersistent: isPersistent && !index.contains(.upgrade), isHTTP10: isHTTP10, declaredBytes: contentLength,
            // RFC 9110 section 10.1.1: a 1.0 client does not know what 100 means.
            expectsContinue: expectsContinue && !isHTTP10)
    }

    private static func target(
        _ range: Range<Int>, in input: ByteBuffer, _ method: HTTPRequest.Method
    ) -> RequestTarget? {
        input.withUnsafeReadableBytes { bytes in
            RequestTarget(UnsafeRawBufferPointer(rebasing: bytes[range]), method: method)
        }
    }

    /// Rejection of transfer codings other than a single `chunked`. An unknown coding before a final `chunked` is 501;
    /// anything else leaves the end of the body ambiguous (RFC 9112 sections 6.1 and 6.3).
    private static func rejection(ofTransferCodings values: [String]) -> HTTPRejection {
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
}

/// A request whose body is still arriving, and what its head said about the connection.
package struct RequestDraft: Sendable {
    var request: HTTPRequest
    /// Whether the connection outlives this request.
    let isPersistent: Bool
    /// Such a peer must be told that the connection stays open.
    let isHTTP10: Bool
    let declaredBytes: Int?
    /// Whether the peer waits to be told to send its body (RFC 9110 section 10.1.1).
    private var expectsContinue: Bool

    init(request: HTTPRequest, isPersistent: Bool, isHTTP10: Bool, declaredBytes: Int?, expectsContinue: Bool) {
        self.request = request
        self.isPersistent = isPersistent
        self.isHTTP10 = isHTTP10
        self.declaredBytes = declaredBytes
        self.expectsContinue = expectsContinue
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
