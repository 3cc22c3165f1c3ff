#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Synchronization

/// Addresses for servers of tests.
public enum Ports {
    private static let given = Mutex<Set<Int>>([])

    /// A port that nobody has at 127.0.0.1 now, a different one each time. For programs that can't say which port the
    /// system gave them; everything else listens on port 0.
    public static func free() throws -> Int {
        for _ in 0..<100 {
            let port = try ask()
            if given.withLock({ $0.insert(port).inserted }) { return port }
        }
        throw Overdue(description: "the system gave no new port")
    }

    private static func ask() throws -> Int {
        // Closed on exec: a program that another test starts right now must not inherit the port.
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Overdue(description: "no socket: error \(errno)") }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 ? getsockname(descriptor, generic, &length) : -1
            }
        }
        guard result == 0 else { throw Overdue(description: "no port: error \(errno)") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
