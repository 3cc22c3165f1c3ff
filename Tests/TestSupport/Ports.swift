import NIOCore
import NIOPosix

/// Addresses for servers of tests.
public enum Ports {
    /// A port that nobody listens on at 127.0.0.1 now. For programs that can't say which port the system gave them;
    /// everything else listens on port 0.
    public static func free() async throws -> Int {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port
        try await channel.close()
        guard let port else { throw Overdue(description: "the system gave no port") }
        return port
    }
}
