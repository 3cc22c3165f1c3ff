import HTTP
import NIOCore
import RPC

/// Something that listens at an address: the gRPC server of a service, the HTTP server of the gateway.
public protocol Listener: Sendable {
    /// Binds and listens; answers the bound address.
    func start() async throws -> SocketAddress
    /// Takes nothing new, lets what is in progress end for at most `timeout`, then closes. Idempotent.
    func drain(timeout: Duration) async
}

extension RPCServer: Listener {}
extension HTTPServer: Listener {}
