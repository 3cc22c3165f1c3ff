import Logging
import NIOCore
import NIOPosix
import NIOSSL

extension ServerBootstrap {
    /// A listener as all our servers have it; what is done with a connection is the caller's.
    ///
    /// - Parameter onShortage: called when there is no descriptor for a connection, on the listener's event loop.
    package static func listening(
        on group: MultiThreadedEventLoopGroup, logger: Logger, onShortage: @escaping @Sendable () -> Void
    ) -> ServerBootstrap {
        ServerBootstrap(group: group)
            // As many as the kernel lets wait by default: a connection that finds no room tries again a second later.
            // On a busy loop accepting keeps up only if one turn takes many.
            .serverChannelOption(.backlog, value: 4_096)
            .serverChannelOption(.maxMessagesPerRead, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause(logger: logger, onShortage: onShortage))
                }
            }
            // Small answers leave at once; they are written in one piece anyway.
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.recvAllocator, value: ReadBufferAllocator())
    }

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

extension ChannelHandlerContext {
    /// The peer's address and port, for logs.
    package var peerText: String { remoteAddress?.hostPort?.description ?? "" }

    /// Bytes that the channel holds and the socket has not taken yet.
    package var unsentBytes: Int {
        // A channel without this option throws; the connection then counts as not writing.
        (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// Ends a server's connection now. Bypasses TLS, which would wait for a close_notify that a silent peer
    /// does not send.
    package func abort() {
        let tls = try? pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self)
        (tls ?? self).close(promise: nil)
    }
}

extension SocketAddress {
    /// Address and port without the name that it was resolved from; `nil` for sockets that have none.
    package var hostPort: HostPort? {
        guard let ipAddress, let port else { return nil }
        return HostPort(host: ipAddress, port: port)
    }
}
