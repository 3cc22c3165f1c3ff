import HTTP
import RPC

/// Which proxies before the gateway are believed when they say, in `x-forwarded-for`, whom a request is from.
///
/// Whatever comes before the entries of trusted proxies was written by strangers and is not looked at.
enum TrustedProxies: Hashable, Sendable {
    /// So many, one behind the other.
    case count(Int)
    /// Those with these addresses.
    case ranges([NetworkRange])

    /// Entries that are looked at, from the right.
    static let hopsMax = 16

    /// A number, or addresses and ranges of them with commas; `nil` for anything else.
    init?(_ text: String) {
        if let count = Int(text) {
            guard (1...Self.hopsMax).contains(count) else { return nil }
            self = .count(count)
            return
        }
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let ranges = parts.compactMap { NetworkRange($0.trimmedOfBlanks) }
        guard !ranges.isEmpty, ranges.count == parts.count else { return nil }
        self = .ranges(ranges)
    }

    /// Whom a request is from.
    ///
    /// - Parameter peer: who is at the other end of the connection.
    func client(peer: NetworkAddress, headers: HTTPFields) -> NetworkAddress {
        var client = peer
        var hops = 0
        for value in headers.values(of: .forwardedFor).reversed() {
            // From the right and no further than needed: a stranger may have written thousands of entries.
            var rest: Substring? = value[...]
            while let entries = rest {
                let comma = entries.utf8.lastIndex(of: UInt8(ascii: ","))
                let entry = comma.map { entries[entries.utf8.index(after: $0)...] } ?? entries
                guard isTrusted(client, hops: hops), let next = NetworkAddress(entry.trimmedOfBlanks) else {
                    return client
                }
                client = next
                hops += 1
                rest = comma.map { entries[..<$0] }
            }
        }
        return client
    }

    /// Whether a peer with this address is a proxy. When only the number of proxies is configured, every peer is one.
    func isProxy(_ peer: NetworkAddress) -> Bool {
        isTrusted(peer, hops: 0)
    }

    private func isTrusted(_ address: NetworkAddress, hops: Int) -> Bool {
        switch self {
        case .count(let count): hops < count
        case .ranges(let ranges): hops < Self.hopsMax && ranges.contains { $0.contains(address) }
        }
    }
}

/// The addresses of clients, as trusted proxies report them.
struct ClientAddresses: Sendable {
    /// `nil` trusts no proxy: the client of a request is its peer.
    let proxies: TrustedProxies?

    /// The client's address as text, without port; empty when there is none.
    func text(of request: HTTPRequest) -> String {
        let host = Self.host(of: request.peer)
        guard let proxies, let peer = NetworkAddress(host) else { return String(host) }
        return proxies.client(peer: peer, headers: request.headers).text ?? String(host)
    }

    /// The peer's address without port and brackets. Runs for every request, so it reads only a few bytes.
    private static func host(of peer: String) -> Substring {
        let bytes = peer.utf8
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")) else { return peer[...] }
        var host = bytes[..<colon]
        if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]") { host = host.dropFirst().dropLast() }
        return Substring(host)
    }
}
