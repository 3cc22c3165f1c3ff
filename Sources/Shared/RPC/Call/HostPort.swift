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

    /// `nil` when `text` is not `host:port`.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        var host = text[..<colon]
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let port = Int(digits), port <= 65_535
        else { return nil }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
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
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
