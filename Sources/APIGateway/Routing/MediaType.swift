import HTTP
import NIOHTTP1
import RPC

/// What a request's body is written in.
enum MediaType {
    case json
    case form

    /// Throws 415 for anything else, an encoding, or a character set that is not UTF-8. No `content-type` means JSON.
    init(of request: HTTPRequest) throws(GatewayError) {
        if let encoding = request.headers.first(name: "content-encoding"),
            !encoding.hasSameBytes(asAnyCaseOf: "identity")
        {
            throw GatewayError(415, "content-encoding \(encoding.shortened()) is not supported")
        }
        guard let value = request.headers.first(name: "content-type") else {
            self = .json
            return
        }
        // The common case, without taking the value apart.
        if value.hasSameBytes(as: "application/json") {
            self = .json
            return
        }
        let parts = value.utf8.split(separator: UInt8(ascii: ";")).map { Substring($0).trimmedOfBlanks }
        let type = parts.first ?? ""
        if type.hasSameBytes(asAnyCaseOf: "application/json") {
            self = .json
        } else if type.hasSameBytes(asAnyCaseOf: "application/x-www-form-urlencoded") {
            self = .form
        } else {
            throw GatewayError(415, "content-type \(value.shortened()) is not supported")
        }
        for part in parts.dropFirst() {
            guard let charset = Self.charset(part), !Self.isUTF8(charset) else { continue }
            throw GatewayError(415, "charset \(charset.shortened()) is not supported, only utf-8")
        }
    }

    /// What a parameter says of the character set, without the quotes around it; `nil` for other parameters.
    private static func charset(_ parameter: Substring) -> Substring? {
        let name = "charset="
        let bytes = parameter.utf8
        guard Substring(bytes.prefix(name.utf8.count)).hasSameBytes(asAnyCaseOf: name) else { return nil }
        let quote = UInt8(ascii: "\"")
        var value = bytes.dropFirst(name.utf8.count)
        if value.count >= 2, value.first == quote, value.last == quote { value = value.dropFirst().dropLast() }
        return Substring(value)
    }

    /// ASCII is UTF-8 too.
    private static func isUTF8(_ charset: Substring) -> Bool {
        charset.hasSameBytes(asAnyCaseOf: "utf-8") || charset.hasSameBytes(asAnyCaseOf: "utf8")
            || charset.hasSameBytes(asAnyCaseOf: "us-ascii")
    }
}
