import NIOCore
import RPC

/// The address that a login comes from, for throttling: of IPv6 the first 64 bits, because the holder of one such
/// address has all of them.
struct CallerAddress: Sendable, Equatable {
    /// Header in which the gateway passes the client's address, as its trusted proxies report it. The gateway takes it
    /// from no caller.
    static let metadataName = "x-client-address"
    /// Longest text of an address with a zone, in bytes.
    private static let textBytesMax = 64

    /// The bytes that are compared and hashed.
    let bytes: [UInt8]

    /// The address in the gateway's header; for callers that reach the service directly, the peer's address.
    init(_ context: RequestContext) {
        bytes = context.metadata[Self.metadataName].flatMap(Self.network) ?? Self.bytes(ofPeer: context.peer)
    }

    /// - Parameter peer: `address:port`.
    init(peer: String) {
        bytes = Self.bytes(ofPeer: peer)
    }

    /// Without the port, which changes with each connection. A text that is no address counts as an address of its own.
    private static func bytes(ofPeer peer: String) -> [UInt8] {
        let host = HostPort(peer)?.host ?? peer
        return network(host) ?? Array(host.utf8)
    }

    private static func network(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= textBytesMax else { return nil }
        // The zone of a link-local address is this host's name for the link.
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
