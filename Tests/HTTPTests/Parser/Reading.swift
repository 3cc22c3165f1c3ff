import NIOCore
import NIOEmbedded
import NIOHTTP1

@testable import HTTP

/// What our parser reads in some bytes, up to the last request of the connection.
struct Reading: Equatable {
    struct Request: Equatable {
        /// Method, path and query.
        var line: String
        /// `name: value`, names in lower case.
        var fields: [String]
        var isPersistent: Bool
        var isHTTP10: Bool
        var expectsContinue: Bool
        var body: [UInt8] = []
        var isComplete = false

        /// In a few words, without fields.
        var summary: String {
            let text = String(decoding: body, as: UTF8.self)
            let words = [line, isHTTP10 ? "1.0" : "1.1", isPersistent ? "open" : "close", text, isComplete ? "" : "…"]
            return words.filter { !$0.isEmpty }.joined(separator: " ")
        }
    }

    static let limits = HTTP1Parser.Limits(headBytesMax: 16 * 1024, fieldsMax: 512)

    private(set) var requests: [Request] = []
    private(set) var rejection: HTTPRejection?
    /// Whether the bytes end within a request.
    private(set) var isCut = false
    /// What was not taken: with a rejection, the lines that it is for, and what follows them.
    private(set) var rest: [UInt8] = []

    /// - Parameter cuts: where the bytes are cut into pieces, in order.
    init(_ bytes: [UInt8], cuts: [Int] = [], limits: HTTP1Parser.Limits = limits) {
        var parser = HTTP1Parser(limits: limits)
        var input = ByteBuffer()
        var start = 0
        for end in cuts + [bytes.count] {
            input.writeBytes(bytes[start..<end])
            start = end
            while read(&parser, &input) {}
        }
        rest = Array(input.readableBytesView)
        isCut = parser.isWithinRequest(input)
    }

    /// Reads one event.
    ///
    /// - Returns: whether there may be another.
    private mutating func read(_ parser: inout HTTP1Parser, _ input: inout ByteBuffer) -> Bool {
        if let last = requests.last, last.isComplete, !last.isPersistent { return false }
        switch parser.next(&input) {
        case .needsBytes:
            return false
        case .rejection(let reason):
            rejection = reason
            return false
        case .head(var draft):
            let request = draft.request
            requests.append(
                Request(
                    line: Self.line(request.method.rawValue, request.path, request.query),
                    fields: request.headers.map { "\($0.name.lowercased()): \($0.value)" },
                    isPersistent: draft.isPersistent, isHTTP10: draft.isHTTP10, expectsContinue: draft.takeContinue()))
        case .body(let part):
            requests[requests.count - 1].body += part.readableBytesView
        case .end:
            requests[requests.count - 1].isComplete = true
        }
        return true
    }

    static func line(_ method: String, _ path: String, _ query: String?) -> String {
        "\(method) \(path)" + (query.map { "?\($0)" } ?? "")
    }
}

/// What NIO's parser, which is llhttp, reads in the same bytes.
struct ReferenceReading {
    struct Request {
        let head: HTTPRequestHead
        var body: [UInt8] = []
        var isComplete = false

        var target: RequestTarget? {
            RequestTarget(head.uri, method: head.method == .OPTIONS ? .OPTIONS : .GET)
        }

        /// As ``Reading/Request/line``; `nil` where the target has none of the forms.
        var line: String? {
            // NIO has another name for one method.
            let method = head.method == .MSEARCH ? "M-SEARCH" : head.method.rawValue
            return target.map { Reading.line(method, $0.path, $0.query) }
        }

        /// As ``Reading/Request/fields``.
        var fields: [String] {
            let authority = target?.authority
            var fields = head.headers.filter { authority == nil || $0.name.lowercased() != "host" }
                .map { "\($0.name.lowercased()): \($0.value.trimmedOfBlanks)" }
            if let authority { fields.append("host: \(authority)") }
            return fields
        }
    }

    private(set) var requests: [Request] = []

    init(_ bytes: [UInt8]) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = Reading.limits.headBytesMax
        limits.maxHeaderFieldSize = Reading.limits.headBytesMax
        limits.maxHeaderFieldCount = Reading.limits.fieldsMax
        let decoder = ByteToMessageHandler(HTTPRequestDecoder(limitConfiguration: limits))
        let channel = EmbeddedChannel(handler: decoder)
        // It throws when the parser fails; what it read before that counts.
        _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head): requests.append(Request(head: head))
            case .body(let body): requests[requests.count - 1].body += body.readableBytesView
            case .end: requests[requests.count - 1].isComplete = true
            }
        }
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }
}
