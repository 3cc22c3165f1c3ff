import Glibc
import Synchronization

/// Addresses for servers of tests.
public enum Ports {
    /// Below the ports that systems give to clients: a connection that somebody opens while a server is being started
    /// again can't take the server's port.
    private static let range: Range<UInt16> = 20_000..<32_000
    private static let given = Mutex<Set<UInt16>>([])

    /// A port that nobody has at 127.0.0.1 now, a different one each time. For programs that can't say which port the
    /// system gave them, or that come back at the same one; everything else listens on port 0.
    public static func free() throws -> Int {
        for _ in 0..<100 {
            let port = UInt16.random(in: range)
            if given.withLock({ $0.insert(port).inserted }), try isFree(port) { return Int(port) }
        }
        throw Overdue(description: "no free port was found")
    }

    private static func isFree(_ port: UInt16) throws -> Bool {
        // Closed on exec: a program that another test starts right now must not inherit the port.
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Overdue(description: "no socket: error \(errno)") }
        defer { close(descriptor) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
