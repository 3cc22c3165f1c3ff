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
            for coding in Self.elements(of: value) where !coding.hasSameBytes(asAnyCaseOf: "identity") {
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
            let elements = Self.elements(of: value)
            guard !elements.isEmpty else { throw GatewayError(415, "content-type is empty") }
            for element in elements {
                let next = try Self.type(element)
                guard type == nil || type == next else { throw GatewayError(415, "content-type says two things") }
                type = next
            }
        }
        self = type ?? .json
    }

    /// Elements of a list that are not empty. A comma between quotes does not separate.
    private static func elements(of value: String) -> [Substring] {
        var isQuoted = false
        let elements = value.utf8.split { byte in
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            return byte == UInt8(ascii: ",") && !isQuoted
        }
        return elements.map { Substring($0).trimmedOfBlanks }.filter { !$0.isEmpty }
    }

    /// Parses one media type with its parameters.
    private static func type(_ value: Substring) throws(GatewayError) -> MediaType {
        let parts = value.utf8.split(separator: UInt8(ascii: ";")).map { Substring($0).trimmedOfBlanks }
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

    /// Value of a `charset` parameter, without its quotes; `nil` for other parameters.
    private static func charset(_ parameter: Substring) -> Substring? {
        let name = "charset="
        let bytes = parameter.utf8
        guard Substring(bytes.prefix(name.utf8.count)).hasSameBytes(asAnyCaseOf: name) else { return nil }
        let quote = UInt8(ascii: "\"")
        var value = bytes.dropFirst(name.utf8.count)
        if value.count >= 2, value.first == quote, value.last == quote { value = value.dropFirst().dropLast() }
        return Substring(value)
    }

    /// ASCII is a subset of UTF-8.
    private static func isUTF8(_ charset: Substring) -> Bool {
        charset.hasSameBytes(asAnyCaseOf: "utf-8") || charset.hasSameBytes(asAnyCaseOf: "utf8")
            || charset.hasSameBytes(asAnyCaseOf: "us-ascii")
    }
}
