import NIOCore
import RPC

/// The authority of an http URI: `host` or `host:port`, without userinfo (RFC 9110 sections 4.2 and 7.2, RFC 3986
/// section 3.2). `Host`, HTTP/2's `:authority` and absolute request targets carry one. Works on bytes only.
enum Authority {
    static let portMax = 65_535
    /// The longest text of an IPv6 address, in bytes.
    private static let addressBytesMax = 45

    static func isValid(_ text: some BidirectionalCollection<UInt8>) -> Bool {
        guard let first = text.first else { return false }
        if first == UInt8(ascii: "[") {
            guard let end = text.firstIndex(of: UInt8(ascii: "]")) else { return false }
            return isAddressLiteral(text[..<end].dropFirst()) && isPortSuffix(text[end...].dropFirst())
        }
        // Most hosts have no percent-encoding, and are looked at once.
        var end = text.firstIndex { !$0.isUnreserved && !isSubDelimiter($0) } ?? text.endIndex
        if end < text.endIndex, text[end] == UInt8(ascii: "%") {
            end = text[end...].firstIndex(of: UInt8(ascii: ":")) ?? text.endIndex
            guard isRegisteredName(text[..<end]) else { return false }
        }
        return end > text.startIndex && isPortSuffix(text[end...])
    }

    /// Whether two valid authorities name the same host and port. Hosts are case-insensitive.
    ///
    /// - Parameter portStandard: the scheme's default port, which may be omitted.
    static func isSame(_ one: Substring.UTF8View, _ other: Substring.UTF8View, portStandard: StaticString) -> Bool {
        let one = withoutPort(portStandard, one)
        let other = withoutPort(portStandard, other)
        return one.count == other.count && zip(one, other).allSatisfy { $0.lowercasedASCII == $1.lowercasedASCII }
    }

    /// The authority without its port, if that is empty or the default one.
    private static func withoutPort(_ standard: StaticString, _ text: Substring.UTF8View) -> Substring.UTF8View {
        guard let colon = text.lastIndex(of: UInt8(ascii: ":")) else { return text }
        let port = text[colon...].dropFirst()
        let isStandard = standard.withUTF8Buffer { port.elementsEqual($0) }
        // A colon within brackets belongs to the address. The text after it ends with `]`, so it never equals a port.
        return port.isEmpty || isStandard ? text[..<colon] : text
    }

    /// Whether the text is empty, or a colon and a number; RFC 3986 lets the number be empty.
    private static func isPortSuffix(_ text: some Collection<UInt8>) -> Bool {
        guard let first = text.first else { return true }
        guard first == UInt8(ascii: ":") else { return false }
        var port = 0
        for byte in text.dropFirst() {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return false }
            port = port * 10 + Int(byte - UInt8(ascii: "0"))
            guard port <= portMax else { return false }
        }
        return true
    }

    /// `IPv6address` or `IPvFuture`, without the brackets. Zone identifiers are local to one machine and are rejected.
    private static func isAddressLiteral(_ text: some Collection<UInt8>) -> Bool {
        guard let first = text.first else { return false }
        if first.lowercasedASCII == UInt8(ascii: "v") {
            let parts = text.dropFirst().split(
                separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let version = parts.first, let address = parts.last else { return false }
            return !version.isEmpty && version.allSatisfy { Hexadecimal.value(of: $0) != nil }
                && !address.isEmpty
                && address.allSatisfy { $0.isUnreserved || isSubDelimiter($0) || $0 == UInt8(ascii: ":") }
        }
        guard text.count <= addressBytesMax else { return false }
        if case .v6 = try? SocketAddress(ipAddress: String(decoding: text, as: UTF8.self), port: 0) { return true }
        return false
    }

    private static func isRegisteredName(_ text: some Collection<UInt8>) -> Bool {
        var rest = text[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                let digits = rest.prefix(2)
                guard digits.count == 2, digits.allSatisfy({ Hexadecimal.value(of: $0) != nil }) else { return false }
                rest = rest.dropFirst(2)
            } else {
                guard byte.isUnreserved || isSubDelimiter(byte) else { return false }
            }
        }
        return true
    }

    private static func isSubDelimiter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&")...UInt8(ascii: ","), UInt8(ascii: ";"),
            UInt8(ascii: "="):
            true
        default: false
        }
    }
}
