import RPC

/// A parsed request target: origin form, absolute form, or `*` (RFC 9112 section 3.2).
struct RequestTarget {
    /// Unreserved characters are decoded, all others are as sent; starts with `/`, or is `*`.
    let path: String
    let query: String?
    /// Authority of the absolute form; replaces `Host`.
    private(set) var authority: Substring?

    /// `nil` for a text that has none of the forms, names no valid host, or has a fragment.
    ///
    /// - Parameter allowsAbsoluteForm: false for HTTP/2, where pseudo-header fields carry scheme and authority.
    init?(_ target: String, method: HTTPRequest.Method, allowsAbsoluteForm: Bool = true) {
        var rest = target[...]
        if rest.utf8.first != UInt8(ascii: "/") {
            if rest.utf8.elementsEqual(CollectionOfOne(UInt8(ascii: "*"))) {
                guard method == .OPTIONS else { return nil }
                path = "*"
                query = nil
                return
            }
            guard allowsAbsoluteForm, let scheme = Self.schemeLength(of: target) else { return nil }
            rest = Substring(rest.utf8.dropFirst(scheme))
            let end = rest.utf8.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
            let authority = rest[..<end]
            guard Authority.isValid(authority.utf8) else { return nil }
            self.authority = authority
            rest = rest[end...]
        }
        guard !rest.utf8.contains(UInt8(ascii: "#")) else { return nil }
        let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?"))
        let path = rest[..<(mark ?? rest.endIndex)]
        // "http://host" and "http://host?query" mean the path "/".
        self.path = path.isEmpty ? "/" : Self.normalized(path)
        query = mark.map { String(rest[rest.utf8.index(after: $0)...]) }
    }

    /// The same of a target's bytes, which are visible ASCII.
    init?(_ target: UnsafeRawBufferPointer, method: HTTPRequest.Method) {
        guard let pathEnd = Self.plainPathLength(of: target) else {
            self.init(String(decoding: target, as: UTF8.self), method: method)
            return
        }
        func text(_ part: Range<Int>) -> String {
            String(decoding: UnsafeRawBufferPointer(rebasing: target[part]), as: UTF8.self)
        }
        self.init(
            path: text(0..<pathEnd), query: pathEnd < target.count ? text((pathEnd + 1)..<target.count) : nil)
    }

    private init(path: String, query: String?) {
        self.path = path
        self.query = query
    }

    /// How long the path of an origin form is that has nothing to decode and no fragment, as nearly all have; `nil` for
    /// other targets.
    private static func plainPathLength(of target: UnsafeRawBufferPointer) -> Int? {
        guard target.first == UInt8(ascii: "/") else { return nil }
        var at = 1
        while at < target.count, target[at] != UInt8(ascii: "?") {
            guard target[at] != UInt8(ascii: "%"), target[at] != UInt8(ascii: "#") else { return nil }
            at += 1
        }
        return target.index(of: UInt8(ascii: "#"), from: at) == target.count ? at : nil
    }

    private static func schemeLength(of target: String) -> Int? {
        for scheme in ["http://", "https://"] as [StaticString] {
            let length = scheme.utf8CodeUnitCount
            let isSame = scheme.withUTF8Buffer { expected in
                target.utf8.count > length
                    && zip(target.utf8, expected).allSatisfy { byte, expected in byte.lowercasedASCII == expected }
            }
            if isSame { return length }
        }
        return nil
    }

    /// The path with its unreserved bytes decoded, so that `/%72pc` is `/rpc` (RFC 3986 section 6.2.2.2). All other
    /// bytes stay encoded: `%2F` is no separator.
    private static func normalized(_ path: Substring) -> String {
        guard path.utf8.contains(UInt8(ascii: "%")) else { return String(path) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(path.utf8.count)
        var rest = path.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let high = rest.first.flatMap(Hexadecimal.value),
                let low = rest.dropFirst().first.flatMap(Hexadecimal.value), (high << 4 | low).isUnreserved
            {
                bytes.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
