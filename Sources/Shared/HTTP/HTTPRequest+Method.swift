import RPC

extension HTTPRequest {
    /// A request's method (RFC 9110 section 9, RFC 5789); case matters.
    public enum Method: Sendable, Hashable {
        case GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH
        case other(String)

        public var rawValue: String {
            switch self {
            case .GET: "GET"
            case .HEAD: "HEAD"
            case .POST: "POST"
            case .PUT: "PUT"
            case .DELETE: "DELETE"
            case .CONNECT: "CONNECT"
            case .OPTIONS: "OPTIONS"
            case .TRACE: "TRACE"
            case .PATCH: "PATCH"
            case .other(let name): name
            }
        }

        /// The method of this name, whatever that is.
        init(_ bytes: UnsafeRawBufferPointer) {
            self = Self.common(bytes) ?? .other(String(decoding: bytes, as: UTF8.self))
        }

        /// The method of this name if it is one of those registered with IANA; `nil` for others.
        init?(registered bytes: UnsafeRawBufferPointer) {
            if let common = Self.common(bytes) {
                self = common
            } else if let name = Self.extensions.first(where: { bytes.equals($0) }) {
                self = .other(name.description)
            } else {
                return nil
            }
        }

        private static func common(_ bytes: UnsafeRawBufferPointer) -> Method? {
            switch bytes.count {
            case 3: bytes.equals("GET") ? .GET : bytes.equals("PUT") ? .PUT : nil
            case 4: bytes.equals("POST") ? .POST : bytes.equals("HEAD") ? .HEAD : nil
            case 5: bytes.equals("PATCH") ? .PATCH : bytes.equals("TRACE") ? .TRACE : nil
            case 6: bytes.equals("DELETE") ? .DELETE : nil
            case 7: bytes.equals("OPTIONS") ? .OPTIONS : bytes.equals("CONNECT") ? .CONNECT : nil
            default: nil
            }
        }

        /// Methods of extensions to HTTP, such as WebDAV. Nothing here serves them, but they are known.
        private static let extensions: [StaticString] = [
            "ACL", "BIND", "CHECKOUT", "COPY", "LINK", "LOCK", "M-SEARCH", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL",
            "MOVE", "NOTIFY", "PROPFIND", "PROPPATCH", "PURGE", "QUERY", "REBIND", "REPORT", "SEARCH", "SOURCE",
            "SUBSCRIBE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE",
        ]
    }
}
