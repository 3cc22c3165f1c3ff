/// A `host:port` as flags and variables write it: `vessel:8080`, `:8080` (every address), `[::1]:8080`.
public struct HostPort: Sendable, Hashable, CustomStringConvertible {
    /// A name or an address without brackets; empty means every address of this machine.
    public let host: String
    /// 0 to 65535; 0 asks the system for a free port.
    public let port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Parses `host:port`; `nil` for anything else. Peers send such texts too (`host`, `x-forwarded-for`), so it is
    /// read by its bytes.
    public init?(_ text: String) {
        let bytes = text.utf8
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        var host = text[..<colon]
        let digits = bytes[bytes.index(after: colon)...]
        guard !digits.isEmpty, digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let port = Int(Substring(digits)), port <= 65_535
        else { return nil }
        let hasColon = host.utf8.contains(UInt8(ascii: ":"))
        if host.utf8.first == UInt8(ascii: "["), host.utf8.last == UInt8(ascii: "]") {
            host = Substring(host.utf8.dropFirst().dropLast())
            guard hasColon else { return nil }
        } else if hasColon {
            return nil
        }
        guard
            !host.utf8.contains(where: {
                $0 <= 0x20 || $0 == 0x7f || $0 == 0x2f || $0 == 0x40 || $0 == 0x5b || $0 == 0x5d
            })
        else { return nil }
        self.init(host: String(host), port: port)
    }

    public var description: String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
