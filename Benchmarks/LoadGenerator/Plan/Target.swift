import NIOCore

/// Something that a flag asks for and that is not done.
struct UsageError: Error, CustomStringConvertible {
    let description: String
}

/// Where the load goes: a gateway's address. Resolved once, so that no later answer of a name server moves the load.
struct Target: Sendable {
    /// As it was given, for the report.
    let url: String
    /// For the `Host` header.
    let authority: String
    let address: SocketAddress

    /// Blocks while it resolves a name.
    ///
    /// - Throws: ``UsageError`` when `url` is no `http://HOST:PORT`, can't be resolved, or is not this machine.
    init(_ url: String, allowRemote: Bool) throws {
        let scheme = "http://"
        guard url.hasPrefix(scheme) else { throw UsageError(description: "--url: '\(url)' is not http://HOST:PORT") }
        var authority = url.dropFirst(scheme.count)
        if authority.hasSuffix("/") { authority = authority.dropLast() }
        guard let (host, port) = Self.split(authority) else {
            throw UsageError(description: "--url: '\(url)' is not http://HOST:PORT")
        }
        let address: SocketAddress
        do {
            address = try SocketAddress.makeAddressResolvingHost(String(host), port: port)
        } catch {
            throw UsageError(description: "--url: '\(host)' has no address: \(error)")
        }
        guard allowRemote || address.isLoopback else {
            throw UsageError(
                description:
                    "--url: \(host) is not this machine; load on others needs their owner's leave, and --allow-remote")
        }
        self.url = url
        self.authority = String(authority)
        self.address = address
    }

    private static func split(_ authority: Substring) -> (Substring, Int)? {
        guard !authority.isEmpty, !authority.contains(where: { "/?#@ ".contains($0) }) else { return nil }
        var host = authority
        var port = 80
        // A colon inside brackets belongs to the address.
        if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
            guard let number = Int(authority[authority.index(after: colon)...]), (1...65_535).contains(number) else {
                return nil
            }
            host = authority[..<colon]
            port = number
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return host.isEmpty ? nil : (host, port)
    }
}

extension SocketAddress {
    /// Whether what is sent there stays on this machine.
    var isLoopback: Bool {
        switch self {
        case .v4(let v4): UInt32(bigEndian: v4.address.sin_addr.s_addr) >> 24 == 127
        case .v6: ipAddress == "::1" || ipAddress?.hasPrefix("::ffff:127.") == true
        case .unixDomainSocket: true
        }
    }
}
