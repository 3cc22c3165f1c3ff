import Contracts

/// Says what is wrong with a request that SwiftProtobuf refused: which field, and what was expected there.
///
/// SwiftProtobuf's errors name neither, so the text is walked once more against the message's description. Slow, and
/// only for requests that are refused anyway.
enum JSONProblem {
    /// The first problem, such as `request.capacity: expected an int32`.
    /// - Parameter root: the path of the message itself, `request` or empty.
    static func describe(_ json: JSONBytes, as message: MessageDescription, root: String) -> String {
        json.withUnsafeBytes { bytes in
            var walker = Walker(cursor: JSONCursor(bytes))
            do throws(Problem) {
                try walker.message(message, path: root, depth: 0)
                do throws(JSONSyntaxError) {
                    try walker.cursor.expectEnd()
                } catch {
                    throw Problem(error, path: root)
                }
            } catch {
                return error.text
            }
            return Problem(path: root, "not a valid \(message.name)").text
        }
    }
}

private struct Problem: Error {
    let text: String

    init(path: String, _ reason: String) {
        text = path.isEmpty ? reason : "\(path): \(reason)"
    }

    init(_ error: JSONSyntaxError, path: String) {
        self.init(path: path, "not valid JSON at byte \(error.offset): \(error.reason)")
    }
}

private struct Walker {
    var cursor: JSONCursor

    mutating func message(_ description: MessageDescription, path: String, depth: Int) throws(Problem) {
        guard depth < JSONCursor.depthMax else { throw Problem(path: path, "nested too deep") }
        guard cursor.take("{") else { throw Problem(path: path, "expected an object") }
        if cursor.take("}") { return }
        repeat {
            let name = try syntax(path) { cursor throws(JSONSyntaxError) in try cursor.value(cursor.string()) }
            let fieldPath = path.isEmpty ? name : "\(path).\(name)"
            guard let field = description.fields.first(where: { $0.name == name || $0.jsonName == name }) else {
                throw Problem(path: "", "unknown field \"\(fieldPath.shortened)\" (\(description.name) has none)")
            }
            try syntax(path) { cursor throws(JSONSyntaxError) in try cursor.expect(":") }
            // In the JSON mapping null is a field left out.
            if cursor.take(word: "null") { continue }
            if field.isRepeated {
                try elements(of: field, path: fieldPath, depth: depth)
            } else {
                try value(field.kind, path: fieldPath, depth: depth)
            }
        } while cursor.take(",")
        try syntax(path) { cursor throws(JSONSyntaxError) in try cursor.expect("}") }
    }

    private mutating func elements(
        of field: MessageDescription.Field, path: String, depth: Int
    ) throws(Problem) {
        guard cursor.take("[") else { throw Problem(path: path, "expected an array") }
        if cursor.take("]") { return }
        var index = 0
        repeat {
            try value(field.kind, path: "\(path)[\(index)]", depth: depth)
            index += 1
        } while cursor.take(",")
        try syntax(path) { cursor throws(JSONSyntaxError) in try cursor.expect("]") }
    }

    private mutating func value(_ kind: MessageDescription.Kind, path: String, depth: Int) throws(Problem) {
        switch kind {
        case .string:
            guard cursor.peek() == UInt8(ascii: "\"") else { throw Problem(path: path, "expected a string") }
            let bytes = try syntax(path) { cursor throws(JSONSyntaxError) in try cursor.unescaped(cursor.string()) }
            guard String(validating: bytes, as: UTF8.self) != nil else { throw Problem(path: path, "not UTF-8") }
        case .bool:
            guard cursor.take(word: "true") || cursor.take(word: "false") else {
                throw Problem(path: path, "expected true or false")
            }
        case .int32:
            try int32(path: path)
        case .message(let description):
            try message(description, path: path, depth: depth + 1)
        }
    }

    /// A number, or one in quotes; `200`, `200.0` and `2e2` are the same whole number in the JSON mapping.
    private mutating func int32(path: String) throws(Problem) {
        let text: String
        switch cursor.peek() ?? 0 {
        case UInt8(ascii: "\""):
            text = try syntax(path) { cursor throws(JSONSyntaxError) in try cursor.value(cursor.string()) }
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            let range = try syntax(path) { cursor throws(JSONSyntaxError) in try cursor.number() }
            text = String(decoding: cursor.bytes[range], as: UTF8.self)
        default:
            throw Problem(path: path, "expected an int32")
        }
        guard let number = Double(text), number.isFinite, number == number.rounded() else {
            throw Problem(path: path, "expected an int32")
        }
        guard number >= Double(Int32.min), number <= Double(Int32.max) else {
            throw Problem(path: path, "out of range, expected an int32 (\(Int32.min) to \(Int32.max))")
        }
    }

    private mutating func syntax<R>(
        _ path: String, _ body: (inout JSONCursor) throws(JSONSyntaxError) -> R
    ) throws(Problem) -> R {
        do throws(JSONSyntaxError) {
            return try body(&cursor)
        } catch {
            throw Problem(error, path: path)
        }
    }
}

extension String {
    /// What a peer sent, cut for being repeated to it.
    var shortened: String {
        count <= 120 ? self : prefix(120) + "…"
    }
}
