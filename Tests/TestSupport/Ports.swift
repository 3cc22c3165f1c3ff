import NIOCore
import NIOPosix
import Synchronization

/// Addresses for servers of tests.
public enum Ports {
    /// Below the ports that the system gives to clients: a connection that somebody opens while a server is being
    /// restarted can't take the server's port.
    private static let range = 20_000..<32_000
    private static let given = Mutex<Set<Int>>([])

    /// A port that nobody listens on at 127.0.0.1 now, another one each time. For programs that can't say which port
    /// the system gave them, or that come back at the same one; everything else listens on port 0.
    public static func free() async throws -> Int {
        for _ in 0..<100 {
            let port = Int.random(in: range)
            guard given.withLock({ $0.insert(port).inserted }), await isFree(port) else { continue }
            return port
        }
        throw Overdue(description: "no free port was found")
    }

    private static func isFree(_ port: Int) async -> Bool {
        let channel = try? await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: port).get()
        try? await channel?.close()
        return channel != nil
    }
}
