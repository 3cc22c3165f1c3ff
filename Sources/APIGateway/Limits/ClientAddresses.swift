import HTTP

/// Whom requests are from, as far as the proxies before the gateway are believed.
struct ClientAddresses: Sendable {
    /// `nil` believes nobody: a request is from whoever has made the connection.
    let proxies: TrustedProxies?

    /// The address as people write it, without port; empty where there is none.
    func text(of request: HTTPRequest) -> String {
        let host = Self.host(of: request.peer)
        guard let proxies, let peer = NetworkAddress(host) else { return String(host) }
        return proxies.client(peer: peer, headers: request.headers).text ?? String(host)
    }

    /// The peer without port and brackets. Runs for every request, so it looks at a few bytes only.
    private static func host(of peer: String) -> Substring {
        let bytes = peer.utf8
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")) else { return peer[...] }
        var host = bytes[..<colon]
        if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]") { host = host.dropFirst().dropLast() }
        return Substring(host)
    }
}
