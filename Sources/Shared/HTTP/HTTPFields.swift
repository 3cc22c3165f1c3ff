import NIOCore
import RPC

/// The header fields of a message: the lines of HTTP/1.1, and where in them the values of well-known names are.
///
/// The fields of an HTTP/1 request are a slice of the bytes that were read. Names are compared without case; blanks
/// around a value are no part of it (RFC 9110 section 5.5).
public struct HTTPFields: Sendable {
    public typealias Element = (name: String, value: String)

    /// Names that are recognized as they are read. Others are found by a search.
    public enum Name: UInt8, Sendable {
        case authorization, connection, contentEncoding, contentLength, contentType, date, expect, forwardedFor
        case host, idempotencyKey, requestID, token, traceparent, tracestate, transferEncoding, upgrade
    }

    /// Where the values of recognized names begin in ``lines``. Small, as it is copied with every request and response.
    struct Index: Sendable {
        /// For each name the offset of its first value, plus one; 0 for a name that does not occur, ``beyond`` for one that
        /// begins further behind than is counted here.
        private var starts = InlineArray<16, UInt16>(repeating: 0)
        /// A bit for each name that occurs more than once.
        private var repeated: UInt16 = 0

        static let beyond = Int(UInt16.max) - 1

        mutating func add(_ name: Name, at offset: Int) {
            let place = Int(name.rawValue)
            if starts[place] == 0 {
                starts[place] = UInt16(Swift.min(offset, Self.beyond)) + 1
            } else {
                repeated |= Self.bit(name)
            }
        }

        func contains(_ name: Name) -> Bool { starts[Int(name.rawValue)] != 0 }
        func isRepeated(_ name: Name) -> Bool { repeated & Self.bit(name) != 0 }

        /// Offset of the first value, or ``beyond``.
        func first(_ name: Name) -> Int? {
            let start = starts[Int(name.rawValue)]
            return start == 0 ? nil : Int(start) - 1
        }

        private static func bit(_ name: Name) -> UInt16 { 1 << UInt16(name.rawValue) }
    }

    /// `name: value` and CRLF for each field, checked.
    private(set) var lines: ByteBuffer
    private(set) var index: Index

    public init() {
        lines = ByteBuffer()
        index = Index()
    }

    /// - Parameters:
    ///   - lines: valid field lines.
    ///   - index: of the recognized names in them.
    init(lines: ByteBuffer, index: Index) {
        self.lines = lines
        self.index = index
    }

    // MARK: Reading

    /// The first value of a name.
    public subscript(name: Name) -> String? {
        firstOffset(of: name).map { offset in withValue(at: offset) { String(decoding: $0, as: UTF8.self) } }
    }

    /// All values of a name, in order.
    public func values(of name: Name) -> [String] {
        var values: [String] = []
        forEachValue(of: name) { values.append($0) }
        return values
    }

    /// Calls `body` with each value of a name, in order.
    public func forEachValue(of name: Name, _ body: (String) -> Void) {
        if index.isRepeated(name) {
            for value in self[name.text.description] { body(value) }
        } else if let value = self[name] {
            body(value)
        }
    }

    /// Whether a name occurs once, with a value of these bytes. Makes no string.
    public func isOnly(_ name: Name, _ value: StaticString) -> Bool {
        guard let offset = firstOffset(of: name), !index.isRepeated(name) else { return false }
        return withValue(at: offset) { $0.equals(value) }
    }

    /// All values of any name, in order. Searches the lines.
    public subscript(name: String) -> [String] {
        var values: [String] = []
        forEachField { bytes, value in
            if bytes.count == name.utf8.count,
                zip(bytes, name.utf8).allSatisfy({ $0.lowercasedASCII == $1.lowercasedASCII })
            {
                values.append(String(decoding: value, as: UTF8.self))
            }
        }
        return values
    }

    /// The first value of any name. Searches the lines.
    public func first(name: String) -> String? {
        self[name].first
    }

    private func firstOffset(of name: Name) -> Int? {
        guard let offset = index.first(name), offset == Index.beyond else { return index.first(name) }
        var found: Int?
        lines.withUnsafeReadableBytes { all in
            forEachField { other, value in
                guard found == nil, Name(other) == name, let start = value.baseAddress, let first = all.baseAddress
                else {
                    return
                }
                found = first.distance(to: start)
            }
        }
        return found
    }

    private func withValue<Result>(at offset: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        lines.withUnsafeReadableBytes { bytes in
            var end = offset
            while end < bytes.count, bytes[end] != UInt8(ascii: "\r") { end += 1 }
            return body(UnsafeRawBufferPointer(rebasing: bytes[offset..<end]).trimmedOfBlanks)
        }
    }

    /// Calls `body` with the bytes of each name and value, in order.
    func forEachField(_ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void) {
        lines.withUnsafeReadableBytes { bytes in
            var start = 0
            while start < bytes.count {
                var colon = start
                while colon < bytes.count, bytes[colon] != UInt8(ascii: ":") { colon += 1 }
                var end = colon
                while end < bytes.count, bytes[end] != UInt8(ascii: "\r") { end += 1 }
                guard colon < end else { return }
                body(
                    UnsafeRawBufferPointer(rebasing: bytes[start..<colon]),
                    UnsafeRawBufferPointer(rebasing: bytes[(colon + 1)..<end]).trimmedOfBlanks)
                start = end + 2
            }
        }
    }

    /// Whether there are fields that the server writes itself.
    var hasFieldsOfServer: Bool {
        index.contains(.connection) || index.contains(.contentLength) || index.contains(.date)
            || index.contains(.transferEncoding) || index.contains(.upgrade)
    }

    // MARK: Writing

    /// Adds a field. One whose name is no token, or whose value could end its own line, is left out: nothing that a
    /// program echoes may split a message.
    public mutating func add(name: String, value: String) {
        var name = name
        var value = value
        name.withUTF8 { name in
            value.withUTF8 { value in _ = add(UnsafeRawBufferPointer(name), UnsafeRawBufferPointer(value)) }
        }
    }

    public mutating func add(contentsOf other: HTTPFields) {
        other.forEachField { name, value in _ = add(name, value) }
    }

    /// Adds a field as above, its name in lower case.
    ///
    /// - Returns: the name if it is recognized.
    mutating func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Name? {
        guard name.isToken, value.isFieldValue else { return nil }
        let value = value.trimmedOfBlanks
        let start = lines.readableBytes + name.count + 2
        let count = name.count + value.count + 4
        lines.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { line in
            for at in 0..<name.count { line[at] = name[at].lowercasedASCII }
            line[name.count] = UInt8(ascii: ":")
            line[name.count + 1] = UInt8(ascii: " ")
            for at in 0..<value.count { line[name.count + 2 + at] = value[at] }
            line[count - 2] = UInt8(ascii: "\r")
            line[count - 1] = UInt8(ascii: "\n")
            return count
        }
        guard let known = Name(name) else { return nil }
        index.add(known, at: start)
        return known
    }

    /// Puts one field in the place of all of its name.
    mutating func replace(_ name: Name, by value: String) {
        var fields = HTTPFields()
        forEachField { other, value in
            if Name(other) != name { _ = fields.add(other, value) }
        }
        fields.add(name: name.text.description, value: value)
        self = fields
    }
}

extension HTTPFields: Sequence {
    public func makeIterator() -> IndexingIterator<[Element]> {
        var elements: [Element] = []
        forEachField { elements.append((String(decoding: $0, as: UTF8.self), String(decoding: $1, as: UTF8.self))) }
        return elements.makeIterator()
    }
}

extension HTTPFields: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, String)...) {
        self.init()
        for (name, value) in elements { add(name: name, value: value) }
    }
}

extension HTTPFields.Name {
    /// The name that these bytes, a token, spell in any case; `nil` for others.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard let name = Self.recognized(bytes) else { return nil }
        self = name
    }

    private static func recognized(_ bytes: UnsafeRawBufferPointer) -> HTTPFields.Name? {
        // Inlined, so that the name and its text are constants of the code.
        @inline(__always)
        func only(_ name: HTTPFields.Name) -> HTTPFields.Name? { bytes.isSameWord(as: name.text) ? name : nil }
        // By length first: most names are none of these.
        return switch bytes.count {
        case 4: only(.host) ?? only(.date)
        case 5: only(.token)
        case 6: only(.expect)
        case 7: only(.upgrade)
        case 10: only(.connection) ?? only(.tracestate)
        case 11: only(.traceparent)
        case 12: only(.contentType) ?? only(.requestID)
        case 13: only(.authorization)
        case 14: only(.contentLength)
        case 15: only(.idempotencyKey) ?? only(.forwardedFor)
        case 16: only(.contentEncoding)
        case 17: only(.transferEncoding)
        default: nil
        }
    }

    /// In lower case.
    var text: StaticString {
        switch self {
        case .authorization: "authorization"
        case .connection: "connection"
        case .contentEncoding: "content-encoding"
        case .contentLength: "content-length"
        case .contentType: "content-type"
        case .date: "date"
        case .expect: "expect"
        case .forwardedFor: "x-forwarded-for"
        case .host: "host"
        case .idempotencyKey: "idempotency-key"
        case .requestID: "x-request-id"
        case .token: "token"
        case .traceparent: "traceparent"
        case .tracestate: "tracestate"
        case .transferEncoding: "transfer-encoding"
        case .upgrade: "upgrade"
        }
    }

    /// Whether the server itself writes this field, or none of the kind, into responses.
    var isSetByServer: Bool {
        switch self {
        case .connection, .contentLength, .date, .transferEncoding, .upgrade: true
        default: false
        }
    }
}
