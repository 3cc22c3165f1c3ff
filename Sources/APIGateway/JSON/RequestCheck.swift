import Contracts
import NIOCore
import RPC
import SwiftProtobuf

/// Checks a request's JSON against its message's description, in one pass and before it is decoded: names, types,
/// ranges, duplicate fields, and the number of elements.
///
/// The decoder that follows accepts duplicate fields, joins lists, and reports neither where nor why it rejects. While
/// the request is valid nothing is built here: the path of a problem is put together on the way out.
enum RequestCheck {
    /// - Parameter root: path of the message itself, `request` or empty.
    /// - Returns: where field masks stand that name fields in snake_case, which the decoder does not know.
    /// - Throws: 400 for the first problem, such as `request.capacity: expected an int32`; 413 for too many elements.
    @discardableResult
    static func check(
        _ json: JSONBytes, as message: MessageDescription, root: String
    ) throws(GatewayError) -> [Range<Int>] {
        var masks: [Range<Int>] = []
        let problem = json.withUnsafeBytes { bytes -> RequestProblem? in
            var scanner = Scanner(cursor: JSONCursor(bytes))
            do throws(RequestProblem) {
                try scanner.message(message, depth: 0)
                try scanner.syntax { cursor throws(JSONSyntaxError) in try cursor.expectEnd() }
                masks = scanner.masks
                return nil
            } catch {
                return error
            }
        }
        if let problem {
            var error = GatewayError(problem.code, problem.text(root: root))
            // Relative to the message, as in the services' own errors.
            if problem.code == 400 {
                error.details = [
                    .badRequest([ErrorDetail.FieldViolation(field: problem.path, description: error.detail)])
                ]
            }
            throw error
        }
        return masks
    }
}

/// A problem of a request, and its path.
private struct RequestProblem: Error {
    enum Reason {
        case wrong(String)
        case syntax(JSONSyntaxError)
        /// The last step names a field that the message does not have.
        case unknownField(message: String)
        case givenTwice
        case tooManyElements
    }

    private enum Step {
        case field(String)
        case element(Int)
    }

    private let reason: Reason
    /// Path of the problem, innermost first.
    private var steps: [Step] = []

    init(_ reason: Reason) {
        self.reason = reason
    }

    func within(field name: String) -> RequestProblem { within(.field(name)) }

    func within(element index: Int) -> RequestProblem { within(.element(index)) }

    private func within(_ step: Step) -> RequestProblem {
        var problem = self
        problem.steps.append(step)
        return problem
    }

    var code: Int {
        if case .tooManyElements = reason { 413 } else { 400 }
    }

    /// Where the problem is, relative to the message.
    var path: String { path(root: "").shortened() }

    private func path(root: String) -> String {
        steps.reversed().reduce(into: root) { path, step in
            switch step {
            case .field(let name): path += path.isEmpty ? name : ".\(name)"
            case .element(let index): path += "[\(index)]"
            }
        }
    }

    func text(root: String) -> String {
        let path = path(root: root)
        switch reason {
        case .wrong(let text): return Self.text(text, at: path)
        case .syntax(let error): return Self.text("not valid JSON at byte \(error.offset): \(error.reason)", at: path)
        case .unknownField(let message): return "unknown field \"\(path.shortened())\" (\(message) has none)"
        case .givenTwice: return "\(path) is given twice"
        case .tooManyElements: return Self.text("more than \(MessageLimits.elementsMax) elements", at: path)
        }
    }

    private static func text(_ text: String, at path: String) -> String {
        path.isEmpty ? text : "\(path): \(text)"
    }
}

private struct Scanner {
    /// Longest text of a number, in bytes; no reasonable number is longer.
    static let numberBytesMax = 100
    /// Longest time or field mask, in bytes.
    static let plainTextBytesMax = 1_000

    var cursor: JSONCursor
    /// Elements, strings and messages so far.
    private var elements = 0
    private(set) var masks: [Range<Int>] = []

    init(cursor: JSONCursor) {
        self.cursor = cursor
    }

    mutating func message(_ description: MessageDescription, depth: Int) throws(RequestProblem) {
        guard depth < JSONCursor.depthMax else { throw RequestProblem(.wrong("nested too deep")) }
        guard cursor.take("{") else { throw RequestProblem(.wrong("expected an object")) }
        if cursor.take("}") { return }
        // One bit for each field, by its index.
        var seen: UInt64 = 0
        repeat {
            let name = try syntax { cursor throws(JSONSyntaxError) in try cursor.string() }
            let index = try index(of: name, in: description)
            let field = description.fields[index]
            guard seen & 1 << UInt64(index) == 0 else { throw RequestProblem(.givenTwice).within(field: field.name) }
            seen |= 1 << UInt64(index)
            try syntax { cursor throws(JSONSyntaxError) in try cursor.expect(":") }
            // In the JSON mapping null is a missing field.
            if cursor.take(word: "null") { continue }
            do throws(RequestProblem) {
                if field.isRepeated {
                    try array(of: field.kind, depth: depth)
                } else {
                    try value(field.kind, depth: depth)
                }
            } catch {
                throw error.within(field: text(name))
            }
        } while cursor.take(",")
        try syntax { cursor throws(JSONSyntaxError) in try cursor.expect("}") }
    }

    /// Index of the field with this name, escapes resolved.
    private func index(
        of name: JSONCursor.Text, in description: MessageDescription
    ) throws(RequestProblem) -> Int {
        let index: Int?
        if name.hasEscapes {
            do throws(JSONSyntaxError) {
                let bytes = try cursor.unescaped(name)
                index = bytes.withUnsafeBytes { description.index(ofFieldNamed: $0) }
            } catch {
                throw RequestProblem(.syntax(error))
            }
        } else {
            index = description.index(ofFieldNamed: UnsafeRawBufferPointer(rebasing: cursor.bytes[name.range]))
        }
        guard let index else {
            throw RequestProblem(.unknownField(message: description.name)).within(field: text(name))
        }
        return index
    }

    /// The name that the caller wrote. Its escapes were resolved before, so this does not fail.
    private func text(_ name: JSONCursor.Text) -> String {
        (try? cursor.value(name)) ?? ""
    }

    private mutating func array(of kind: MessageDescription.Kind, depth: Int) throws(RequestProblem) {
        guard cursor.take("[") else { throw RequestProblem(.wrong("expected an array")) }
        if cursor.take("]") { return }
        var index = 0
        repeat {
            do throws(RequestProblem) {
                try value(kind, depth: depth)
            } catch {
                throw error.within(element: index)
            }
            index += 1
        } while cursor.take(",")
        try syntax { cursor throws(JSONSyntaxError) in try cursor.expect("]") }
    }

    private mutating func value(_ kind: MessageDescription.Kind, depth: Int) throws(RequestProblem) {
        elements += 1
        guard elements <= MessageLimits.elementsMax else { throw RequestProblem(.tooManyElements) }
        switch kind {
        case .string:
            guard cursor.peek() == UInt8(ascii: "\"") else { throw RequestProblem(.wrong("expected a string")) }
            let isUTF8 = try syntax { cursor throws(JSONSyntaxError) in try cursor.isUTF8(cursor.string()) }
            guard isUTF8 else { throw RequestProblem(.wrong("not UTF-8")) }
        case .bool:
            guard cursor.take(word: "true") || cursor.take(word: "false") else {
                throw RequestProblem(.wrong("expected true or false"))
            }
        case .int32:
            try int32()
        case .choice(_, let names):
            guard cursor.peek() == UInt8(ascii: "\"") else { return try int32() }
            let text = try syntax { cursor throws(JSONSyntaxError) in try cursor.string() }
            let bytes = UnsafeRawBufferPointer(rebasing: cursor.bytes[text.range])
            guard !text.hasEscapes, names.contains(where: { bytes.equals($0) }) else {
                throw RequestProblem(.wrong("expected one of \(names.map { "\($0)" }.joined(separator: ", "))"))
            }
        case .timestamp:
            let text = try plainText()
            guard let text, (try? Google_Protobuf_Timestamp(jsonString: "\"\(text)\"")) != nil else {
                throw RequestProblem(.wrong("expected a time such as 2026-01-31T09:05:00Z"))
            }
        case .fieldMask:
            let start = cursor.offset
            guard let text = try plainText() else {
                throw RequestProblem(.wrong("expected names of fields with commas between them"))
            }
            if text.utf8.contains(UInt8(ascii: "_")) { masks.append(start..<cursor.offset) }
        case .message(let description):
            try message(description, depth: depth + 1)
        }
    }

    /// A short text without escapes, of letters, digits and signs; `nil` for another.
    private mutating func plainText() throws(RequestProblem) -> String? {
        guard cursor.peek() == UInt8(ascii: "\"") else { throw RequestProblem(.wrong("expected a string")) }
        let text = try syntax { cursor throws(JSONSyntaxError) in try cursor.string() }
        let bytes = UnsafeRawBufferPointer(rebasing: cursor.bytes[text.range])
        guard !text.hasEscapes, bytes.count <= Self.plainTextBytesMax,
            bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    mutating func syntax<R>(
        _ body: (inout JSONCursor) throws(JSONSyntaxError) -> R
    ) throws(RequestProblem) -> R {
        do throws(JSONSyntaxError) {
            return try body(&cursor)
        } catch {
            throw RequestProblem(.syntax(error))
        }
    }
}

// MARK: - Numbers

extension Scanner {
    /// Checks a number, or one in quotes, which obeys the same grammar; `200`, `200.0` and `2e2` are the same whole
    /// number in the JSON mapping.
    private mutating func int32() throws(RequestProblem) {
        switch cursor.peek() ?? 0 {
        case UInt8(ascii: "\""):
            let text = try syntax { cursor throws(JSONSyntaxError) in try cursor.string() }
            guard !text.hasEscapes else {
                let bytes = try syntax { cursor throws(JSONSyntaxError) in try cursor.unescaped(text) }
                if let problem = bytes.withUnsafeBytes({ Self.problem(ofQuoted: $0) }) { throw problem }
                return
            }
            let bytes = UnsafeRawBufferPointer(rebasing: cursor.bytes[text.range])
            if let problem = Self.problem(ofQuoted: bytes) { throw problem }
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            let range = try syntax { cursor throws(JSONSyntaxError) in try cursor.number() }
            if let problem = Self.problem(of: UnsafeRawBufferPointer(rebasing: cursor.bytes[range])) { throw problem }
        default:
            throw RequestProblem(.wrong("expected an int32"))
        }
    }

    private static func problem(ofQuoted bytes: UnsafeRawBufferPointer) -> RequestProblem? {
        var cursor = JSONCursor(bytes)
        // All of it, and without the space that may precede a number elsewhere.
        guard (try? cursor.number()) == 0..<bytes.count else { return RequestProblem(.wrong("expected an int32")) }
        return problem(of: bytes)
    }

    /// - Parameter bytes: a number that obeys the grammar.
    private static func problem(of bytes: UnsafeRawBufferPointer) -> RequestProblem? {
        guard bytes.count <= numberBytesMax, let number = Double(String(decoding: bytes, as: UTF8.self)),
            number.isFinite, number == number.rounded()
        else { return RequestProblem(.wrong("expected an int32")) }
        guard number >= Double(Int32.min), number <= Double(Int32.max) else {
            return RequestProblem(.wrong("out of range, expected an int32 (\(Int32.min) to \(Int32.max))"))
        }
        return nil
    }
}
