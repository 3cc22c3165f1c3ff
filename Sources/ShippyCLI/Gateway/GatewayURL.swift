/// The address of a gateway: scheme, host and port, in canonical form.
struct GatewayURL: Equatable, Sendable {
    /// Bytes of an address. A host name has at most 253.
    static let bytesMax = 300
    /// The address of `make run`.
    static let standard = GatewayURL(scheme: "http", host: "localhost", port: 8080)

    /// Such as `http://localhost:8080`; always with a port and without a slash at the end. The key of ``TokenFile``.
    let text: String
    /// Whether the gateway is on this machine.
    let isLoopback: Bool

    /// - Parameter text: `http://HOST` or `https://HOST`, optionally with `:PORT` and a slash at the end.
    /// - Returns: `nil` for anything else, also with a path or a login.
    init?(_ text: String) {
        guard text.utf8.count <= Self.bytesMax, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
        let bytes = text.utf8.map { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0 ? $0 | 0x20 : $0 }
        for (scheme, standardPort) in [("http", 80), ("https", 443)] {
            let start = Array("\(scheme)://".utf8)
            guard bytes.starts(with: start) else { continue }
            var authority = bytes[start.count...]
            if authority.last == UInt8(ascii: "/") { authority.removeLast() }
            guard let (host, port) = Self.split(authority, standardPort: standardPort) else { return nil }
            self.init(scheme: scheme, host: host, port: port)
            return
        }
        return nil
    }

    private init(scheme: String, host: String, port: Int) {
        text = "\(scheme)://\(host):\(port)"
        isLoopback = Self.isLoopback(host)
    }

    /// - Parameter authority: in lower case.
    private static func split(_ authority: ArraySlice<UInt8>, standardPort: Int) -> (host: String, port: Int)? {
        var host = authority
        var port = standardPort
        // A colon inside brackets belongs to the address.
        if let colon = authority.lastIndex(of: UInt8(ascii: ":")),
            !authority[colon...].contains(UInt8(ascii: "]"))
        {
            let digits = authority[(colon + 1)...]
            guard digits.count <= 5, digits.allSatisfy(isDigit),
                let number = Int(String(decoding: digits, as: UTF8.self)), (1...65_535).contains(number)
            else { return nil }
            host = authority[..<colon]
            port = number
        }
        return isHost(host) ? (String(decoding: host, as: UTF8.self), port) : nil
    }

    private static func isHost(_ host: ArraySlice<UInt8>) -> Bool {
        if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]"), host.count > 2 {
            return host.dropFirst().dropLast().allSatisfy {
                isDigit($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0) || $0 == UInt8(ascii: ":")
                    || $0 == UInt8(ascii: ".")
            }
        }
        return !host.isEmpty
            && host.allSatisfy {
                isDigit($0) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || "-._".utf8.contains($0)
            }
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host.utf8.elementsEqual("localhost".utf8) || host.utf8.elementsEqual("[::1]".utf8) { return true }
        // A host name may begin with 127 too; an address has only digits and dots.
        return host.utf8.starts(with: "127.".utf8) && host.utf8.allSatisfy { isDigit($0) || $0 == UInt8(ascii: ".") }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
