import HTTP
import NIOHTTP1

/// What a request's body is written in.
enum MediaType {
    case json
    case form

    /// Throws 415 for anything else, an encoding, or a character set that is not UTF-8. No `content-type` means JSON.
    init(of request: HTTPRequest) throws(GatewayError) {
        if let encoding = request.headers.first(name: "content-encoding"), encoding.lowercased() != "identity" {
            throw GatewayError(415, "content-encoding \(encoding.shortened) is not supported")
        }
        guard let value = request.headers.first(name: "content-type") else {
            self = .json
            return
        }
        // The common case, without taking the value apart.
        if value == "application/json" {
            self = .json
            return
        }
        let parts = value.lowercased().split(separator: ";").map { $0.trimmed }
        switch parts.first {
        case "application/json": self = .json
        case "application/x-www-form-urlencoded": self = .form
        default: throw GatewayError(415, "content-type \(value.shortened) is not supported")
        }
        for part in parts.dropFirst() where part.hasPrefix("charset=") {
            let charset = part.dropFirst("charset=".count).filter { $0 != "\"" }
            guard charset == "utf-8" || charset == "utf8" || charset == "us-ascii" else {
                throw GatewayError(415, "charset \(String(charset).shortened) is not supported, only utf-8")
            }
        }
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = self
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}
