import Foundation

/// A plain socket that says whatever a test likes. It blocks, so it is used inside ``onThread(_:)`` only.
public final class RawPeer: Sendable {
    private let descriptor: Int32

    public init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Connects to 127.0.0.1.
    ///
    /// - Parameter receiveBytes: the size of the kernel's receive buffer; small ones make slow readers.
    public init(port: Int, receiveBytes: Int32? = nil) throws {
        descriptor = try Self.makeSocket()
        if var receiveBytes {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBytes, socklen_t(MemoryLayout<Int32>.size))
        }
        let connected = Self.withLoopback(port) { connect(descriptor, $0, $1) }
        guard connected == 0 else { throw SocketFailure("can't connect: \(String(cString: strerror(errno)))") }
    }

    deinit {
        close(descriptor)
    }

    public static func makeSocket() throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SocketFailure("no socket") }
        return descriptor
    }

    public static func withLoopback<R>(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    /// Sends all of `bytes`. False when the other side has closed, or takes nothing for `patience`.
    @discardableResult
    public func send(_ bytes: [UInt8], patience: TimeInterval = 10) -> Bool {
        var sent = 0
        while sent < bytes.count {
            guard wait(for: Int16(POLLOUT), patience) else { return false }
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            let count = bytes.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, flags)
            }
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// The next bytes; empty at the end of the connection, `nil` when nothing came within `patience`.
    public func receive(patience: TimeInterval = 10) -> [UInt8]? {
        guard wait(for: Int16(POLLIN), patience) else { return nil }
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count <= 0 ? [] : Array(buffer[..<count])
    }

    /// Closes with RST, as a machine that lost its power does once it is back.
    public func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// No more bytes from us; the other side sees the end.
    public func finish() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Both directions.
    public func end() {
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// Reads until the other side closes. False when it did not within `patience`.
    public func waitForEnd(patience: TimeInterval = 10) -> Bool {
        let deadline = Date().addingTimeInterval(patience)
        while Date() < deadline {
            guard let bytes = receive(patience: deadline.timeIntervalSinceNow) else { return false }
            if bytes.isEmpty { return true }
        }
        return false
    }

    private func wait(for event: Int16, _ patience: TimeInterval) -> Bool {
        var entry = pollfd(fd: descriptor, events: event, revents: 0)
        return poll(&entry, 1, Int32(max(0, patience) * 1_000)) > 0
    }
}

/// Listens at 127.0.0.1 for peers that a test plays itself.
public final class RawListener: Sendable {
    private let descriptor: Int32
    public let port: Int

    public init() throws {
        let descriptor = try RawPeer.makeSocket()
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening =
            RawPeer.withLoopback(0) { bind(descriptor, $0, $1) } == 0 && listen(descriptor, 64) == 0
            && withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
            } == 0
        guard isListening else {
            close(descriptor)
            throw SocketFailure("can't listen")
        }
        self.descriptor = descriptor
        port = Int(in_port_t(bigEndian: address.sin_port))
    }

    deinit {
        close(descriptor)
    }

    public func accept(patience: TimeInterval = 10) throws -> RawPeer {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, Int32(patience * 1_000)) > 0 else { throw SocketFailure("nobody connected") }
        let accepted = Foundation.accept(descriptor, nil, nil)
        guard accepted >= 0 else { throw SocketFailure("accept failed") }
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        return RawPeer(descriptor: accepted)
    }
}

public struct SocketFailure: Error {
    public let what: String
    public init(_ what: String) { self.what = what }
}

/// Runs what blocks on a thread of its own, so that no test keeps another from running.
public func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    // A task rather than a bare thread, so that failed expectations know their test.
    try await Task(executorPreference: ThreadPerJob()) { try body() }.value
}

private final class ThreadPerJob: TaskExecutor {
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        Thread.detachNewThread { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
