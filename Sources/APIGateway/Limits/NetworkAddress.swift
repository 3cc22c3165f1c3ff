import NIOCore
import RPC

/// An IP address as 128 bits; IPv4 in its mapped form (RFC 4291 section 2.5.5.2).
struct NetworkAddress: Hashable, Sendable {
    /// The first byte is the highest.
    let bits: UInt128

    /// Longest text of an address with zone, brackets and port, in bytes.
    private static let textBytesMax = 96

    private static let mappedPrefix: UInt128 = 0xffff_0000_0000

    /// `nil` for a text that is no IP address. Accepts brackets around IPv6, and a port, as peers and some proxies
    /// write them.
    init?(_ text: Substring) {
        guard text.utf8.count <= Self.textBytesMax,
            let address = Self.parse(text) ?? Self.parseBracketed(text)
                ?? HostPort(String(text)).flatMap({ Self.parse($0.host[...]) })
        else {
            return nil
        }
        self = address
    }

    private init(bits: UInt128) {
        self.bits = bits
    }

    fileprivate static func parse(_ text: Substring) -> NetworkAddress? {
        (try? SocketAddress(ipAddress: String(text), port: 0)).flatMap(NetworkAddress.init)
    }

    /// `nil` for an address that is not an IP address.
    init?(_ address: SocketAddress) {
        switch address {
        case .v4(let address):
            bits = Self.mappedPrefix | UInt128(UInt32(bigEndian: address.address.sin_addr.s_addr))
        case .v6(let address):
            bits = withUnsafeBytes(of: address.address.sin6_addr) {
                UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self))
            }
        default: return nil
        }
    }

    /// `[2001:db8::1]`, without a port.
    private static func parseBracketed(_ text: Substring) -> NetworkAddress? {
        let bytes = text.utf8
        guard bytes.first == UInt8(ascii: "["), bytes.last == UInt8(ascii: "]"), bytes.count > 2,
            bytes.contains(UInt8(ascii: ":"))
        else { return nil }
        return parse(Substring(bytes.dropFirst().dropLast()))
    }

    var isIPv4: Bool { bits >> 32 == 0xffff }

    /// As people write it.
    var text: String? {
        var bytes = ByteBuffer()
        if isIPv4 {
            bytes.writeInteger(UInt32(truncatingIfNeeded: bits))
        } else {
            bytes.writeInteger(bits)
        }
        let address = try? SocketAddress(packedIPAddress: bytes, port: 0)
        return address?.ipAddress
    }

    /// What one caller can't change at will: of IPv6 the first 64 bits, as whoever has one such address has all of them.
    var caller: NetworkAddress { isIPv4 ? self : prefix(64) }

    /// The first `count` bits, 0 to 128.
    func prefix(_ count: Int) -> NetworkAddress {
        NetworkAddress(bits: bits & ~(UInt128.max >> count))
    }
}

/// A range of addresses, such as `10.0.0.0/8` or `fd00::/8`; an address alone is a range of one.
struct NetworkRange: Hashable, Sendable {
    private let prefix: NetworkAddress
    private let bits: Int

    init?(_ text: Substring) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = NetworkAddress.parse(first) else { return nil }
        // IPv4 begins after the 96 bits of its prefix.
        let before = address.isIPv4 && !first.contains(":") ? 96 : 0
        if parts.count == 2 {
            guard let length = Int(parts[1]), length >= 0, before + length <= 128 else { return nil }
            bits = before + length
        } else {
            bits = 128
        }
        prefix = address.prefix(bits)
    }

    func contains(_ address: NetworkAddress) -> Bool {
        address.prefix(bits) == prefix
    }
}
