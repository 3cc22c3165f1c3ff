import NIOCore
import RPC
import Transcoding

/// The body of `POST /rpc`: which method of which service, and its request.
struct Envelope {
    /// A name in the body, or out of it when it had escapes.
    typealias Name = ByteBuffer

    var service: Name
    var method: Name
    /// The request message as JSON; `nil` for the empty message.
    var request: ByteBuffer?
}

extension Envelope {
    /// Reads a JSON body in one pass. What it finds are slices of `body`, so that nothing is copied.
    ///
    /// Whether `request` is right is left to whoever decodes it; only its extent is found here.
    init(json body: ByteBuffer) throws {
        var fields = Fields()
        do {
            try body.withUnsafeReadableBytes { bytes in
                var cursor = JSONCursor(bytes)
                try fields.read(&cursor, from: body)
                try cursor.expectEnd()
            }
        } catch let problem as JSONProblem {
            throw GatewayError(400, "the body is \(problem.text(root: ""))")
        }
        self = try fields.envelope()
    }

    /// The fields found so far, and the rules that JSON bodies and forms share.
    struct Fields {
        private(set) var service: Name?
        private(set) var method: Name?
        private(set) var request: ByteBuffer?
        private var hasService = false
        private var hasMethod = false
        private var hasRequest = false

        func envelope() throws -> Envelope {
            guard let service, service.readableBytes > 0 else { throw GatewayError(400, "service is missing") }
            guard let method, method.readableBytes > 0 else { throw GatewayError(400, "method is missing") }
            return Envelope(service: service, method: method, request: request)
        }

        /// - Parameter name: `nil` for null, which means a missing field but counts as given.
        mutating func set(service name: Name?) throws {
            guard !hasService else { throw Self.repeated("service") }
            hasService = true
            service = name
        }

        /// - Parameter name: as for ``set(service:)``.
        mutating func set(method name: Name?) throws {
            guard !hasMethod else { throw Self.repeated("method") }
            hasMethod = true
            method = name
        }

        mutating func set(request json: ByteBuffer?) throws {
            guard !hasRequest else { throw Self.repeated("request") }
            hasRequest = true
            request = json
        }

        /// JSON text as the value of `request`: empty and `null` mean the empty message.
        mutating func set(requestText text: ByteBuffer) throws {
            let isEmpty = text.withUnsafeReadableBytes { bytes in
                var cursor = JSONCursor(bytes)
                return cursor.peek() == nil || (cursor.take(word: "null") && cursor.peek() == nil)
            }
            try set(request: isEmpty ? nil : text)
        }

        static func repeated(_ name: String) -> GatewayError {
            GatewayError(400, "\(name) is given twice")
        }

        static func unknown(_ name: String) -> GatewayError {
            if name.hasSameBytes(as: "address") {
                // micro lets a caller name any host there; a gateway must not be steered to other hosts.
                return GatewayError(400, "address is not supported: the gateway knows where its services are")
            }
            return GatewayError(400, "unknown field \"\(name.shortened())\"")
        }
    }
}

extension Envelope.Fields {
    fileprivate mutating func read(_ cursor: inout JSONCursor, from body: ByteBuffer) throws {
        guard cursor.peek() != nil else { throw GatewayError(400, "the body is empty, expected a JSON object") }
        guard cursor.take("{") else { throw GatewayError(400, "the body is not a JSON object") }
        if cursor.take("}") { return }
        repeat {
            let key = try cursor.string()
            try cursor.expect(":")
            if try cursor.equals(key, "request") {
                try readRequest(&cursor, from: body)
            } else if try cursor.equals(key, "service") {
                try set(service: Self.name("service", &cursor, from: body))
            } else if try cursor.equals(key, "method") {
                try set(method: Self.name("method", &cursor, from: body))
            } else {
                throw Self.unknown(cursor.shown(key))
            }
        } while cursor.take(",")
        try cursor.expect("}")
    }

    /// A string's content; `nil` for null, which stands for a field left out.
    private static func name(
        _ field: String, _ cursor: inout JSONCursor, from body: ByteBuffer
    ) throws -> Envelope.Name? {
        if cursor.take(word: "null") { return nil }
        guard cursor.peek() == UInt8(ascii: "\"") else { throw GatewayError(400, "\(field): expected a string") }
        return try content(of: cursor.string(), cursor, from: body)
    }

    private static func content(
        of text: JSONCursor.Text, _ cursor: JSONCursor, from body: ByteBuffer
    ) throws -> ByteBuffer {
        text.hasEscapes ? ByteBuffer(bytes: try cursor.unescaped(text)) : slice(body, text.range)
    }

    private mutating func readRequest(_ cursor: inout JSONCursor, from body: ByteBuffer) throws {
        switch cursor.peek() {
        case UInt8(ascii: "{"):
            try set(request: Self.slice(body, cursor.skipValue()))
        case UInt8(ascii: "\""):
            try set(requestText: Self.content(of: cursor.string(), cursor, from: body))
        default:
            guard cursor.take(word: "null") else { throw GatewayError(400, "request: expected an object") }
            try set(request: nil)
        }
    }

    private static func slice(_ body: ByteBuffer, _ range: Range<Int>) -> ByteBuffer {
        // The cursor stays within the readable bytes.
        body.getSlice(at: body.readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer()
    }
}

extension Envelope {
    /// Reads the same three fields from an `application/x-www-form-urlencoded` body; `request` is JSON text.
    init(form body: ByteBuffer) throws {
        var fields = Fields()
        try body.withUnsafeReadableBytes { bytes in
            for pair in bytes.split(separator: UInt8(ascii: "&")) {
                let mark = pair.firstIndex(of: UInt8(ascii: "="))
                let name = try Self.decoded(pair[pair.startIndex..<(mark ?? pair.endIndex)])
                let value = try Self.decoded(mark.map { pair[($0 + 1)...] } ?? pair[pair.endIndex...])
                let field = String(decoding: name, as: UTF8.self)
                if field.hasSameBytes(as: "service") {
                    try fields.set(service: ByteBuffer(bytes: value))
                } else if field.hasSameBytes(as: "method") {
                    try fields.set(method: ByteBuffer(bytes: value))
                } else if field.hasSameBytes(as: "request") {
                    try fields.set(requestText: ByteBuffer(bytes: value))
                } else {
                    throw Fields.unknown(field)
                }
            }
        }
        self = try fields.envelope()
    }

    private static func decoded(_ text: Slice<UnsafeRawBufferPointer>) throws -> [UInt8] {
        let decoded = PercentEncoding.decode(UnsafeRawBufferPointer(rebasing: text), plusIsSpace: true)
        guard let decoded else { throw GatewayError(400, "the form has a % without two hexadecimal digits") }
        return decoded
    }
}
