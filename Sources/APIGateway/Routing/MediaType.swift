import HTTP
import RPC

/// What a request's body is written in.
enum MediaType {
    case json
    case form

    /// Throws 415 for anything else, an encoding, or a character set that is not UTF-8. No `content-type` means JSON.
    ///
    /// Both headers may be lists or occur more than once. An empty list of encodings counts as none (RFC 9110 section
    /// 5.6.1.2). There is only one type: repeated values must agree (section 8.3).
    init(of request: HTTPRequest) throws(GatewayError) {
        for value in request.headers.values(of: .contentEncoding) {
            for coding in try Self.elements(of: value, "content-encoding")
            where !coding.hasSameBytes(asAnyCaseOf: "identity") {
                var error = GatewayError(415, "content-encoding \(coding.shortened()) is not supported")
                error.acceptEncoding = "identity"
                throw error
            }
        }
        // The common case, without parsing the value.
        if request.headers.isOnly(.contentType, "application/json") {
            self = .json
            return
        }
        var type: MediaType?
        for value in request.headers.values(of: .contentType) {
            let elements = try Self.elements(of: value, "content-type")
            guard !elements.isEmpty else { throw GatewayError(415, "content-type is empty") }
            for element in elements {
                let next = try Self.type(element)
                guard type == nil || type == next else { throw GatewayError(415, "content-type says two things") }
                type = next
            }
        }
        self = type ?? .json
    }

    /// Elements of a list that are not empty.
    private static func elements(of value: String, _ header: String) throws(GatewayError) -> [Substring] {
        guard let parts = parts(of: value[...], separator: UInt8(ascii: ",")) else {
            throw GatewayError(415, "\(header) has a quoted string without an end")
        }
        return parts.filter { !$0.isEmpty }
    }

    /// What stands between separators, empty parts included, without the blanks around it. In a quoted string nothing
    /// separates, and a quote behind a backslash does not end it (RFC 9110 section 5.6.4).
    ///
    /// - Returns: `nil` where a quoted string does not end.
    private static func parts(of value: Substring, separator: UInt8) -> [Substring]? {
        var isQuoted = false
        var isEscaped = false
        let parts = value.utf8.split(omittingEmptySubsequences: false) { byte in
            if isEscaped {
                isEscaped = false
                return false
            }
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            isEscaped = isQuoted && byte == UInt8(ascii: "\\")
            return byte == separator && !isQuoted
        }
        return isQuoted ? nil : parts.map { Substring($0).trimmedOfBlanks }
    }

    /// Parses one media type with its parameters.
    private static func type(_ value: Substring) throws(GatewayError) -> MediaType {
        // An element of a list has only whole strings.
        let parts = parts(of: value, separator: UInt8(ascii: ";")) ?? []
        let name = parts.first ?? ""
        let type: MediaType
        if name.hasSameBytes(asAnyCaseOf: "application/json") {
            type = .json
        } else if name.hasSameBytes(asAnyCaseOf: "application/x-www-form-urlencoded") {
            type = .form
        } else {
            throw GatewayError(415, "content-type \(value.shortened()) is not supported")
        }
        for part in parts.dropFirst() {
            guard let charset = charset(part), !isUTF8(charset) else { continue }
            throw GatewayError(415, "charset \(charset.shortened()) is not supported, only utf-8")
        }
        return type
    }

    /// Value of a `charset` parameter, without its quotes and the backslashes between them; `nil` for other parameters.
    private static func charset(_ parameter: Substring) -> String? {
        let name = "charset="
        let bytes = parameter.utf8
        guard Substring(bytes.prefix(name.utf8.count)).hasSameBytes(asAnyCaseOf: name) else { return nil }
        let value = bytes.dropFirst(name.utf8.count)
        let quote = UInt8(ascii: "\"")
        guard value.count >= 2, value.first == quote, value.last == quote else { return String(Substring(value)) }
        var content: [UInt8] = []
        var isEscaped = false
        for byte in value.dropFirst().dropLast() {
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
            if !isEscaped { content.append(byte) }
        }
        return String(decoding: content, as: UTF8.self)
    }

    /// ASCII is a subset of UTF-8.
    private static func isUTF8(_ charset: String) -> Bool {
        charset.hasSameBytes(asAnyCaseOf: "utf-8") || charset.hasSameBytes(asAnyCaseOf: "utf8")
            || charset.hasSameBytes(asAnyCaseOf: "us-ascii")
    }
}
