import NIOCore
import NIOPosix

extension ServerBootstrap {
    /// Binds to `address`. An empty host means every address, IPv6 and IPv4, or IPv4 alone where there is no IPv6.
    package func bind(to address: HostPort) async throws -> any Channel {
        guard address.host.isEmpty else { return try await bind(host: address.host, port: address.port).get() }
        do {
            return try await bind(host: "::", port: address.port).get()
        } catch let error as IOError where error.errnoCode != EADDRINUSE && error.errnoCode != EACCES {
            return try await bind(host: "0.0.0.0", port: address.port).get()
        }
    }
}
