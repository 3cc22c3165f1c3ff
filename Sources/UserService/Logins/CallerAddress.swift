import NIOCore
import RPC

/// Whom a login is from, as far as throttling goes: of IPv6 the first 64 bits, as whoever has one such address has all of
/// them.
struct CallerAddress: Sendable, Equatable {
    /// The gateway says in it, as it believes it, whom a request is from. It takes it from no caller.
    static let metadataName = "x-client-address"
    /// No address is longer, with its zone.
    private static let textBytesMax = 64

    /// What is compared and hashed.
    let bytes: [UInt8]

    /// What the gateway says; for those who call the service itself, the peer's address.
    init(_ context: RequestContext) {
        bytes = context.metadata[Self.metadataName].flatMap(Self.network) ?? Self.bytes(ofPeer: context.peer)
    }

    /// - Parameter peer: `address:port`.
    init(peer: String) {
        bytes = Self.bytes(ofPeer: peer)
    }

    /// Without the port, which changes with each connection. What is no address is one of its own.
    private static func bytes(ofPeer peer: String) -> [UInt8] {
        let host = HostPort(peer)?.host ?? peer
        return network(host) ?? Array(host.utf8)
    }

    private static func network(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= textBytesMax else { return nil }
        // The zone of a link's address is this side's own name for the link.
        let address = String(Substring(text.utf8.prefix { $0 != UInt8(ascii: "%") }))
        switch try? SocketAddress(ipAddress: address, port: 0) {
        case .v4(let address): return withUnsafeBytes(of: address.address.sin_addr) { Array($0) }
        case .v6(let address):
            return withUnsafeBytes(of: address.address.sin6_addr) { bytes in
                let isMapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
                return Array(isMapped ? bytes[12...] : bytes[..<8])
            }
        default: return nil
        }
    }
}
