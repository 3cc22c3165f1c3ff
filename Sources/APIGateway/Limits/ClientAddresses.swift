import HTTP

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
