import Foundation
import Synchronization

/// A MongoDB wire server in a process of its own, on a free port and a folder of its own.
///
/// It is SecantusDB from a Python environment: the folder that `SHIPPY_TEST_VENV` names, or `.build/test-venv`.
public final class MongoServer: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// One server for all tests of a process that only read and write. It ends with the process.
    public static let shared = Task { try await MongoServer() }

    private static let startLimit: Duration = .seconds(60)
    private static let runningPIDs = Mutex<Set<pid_t>>([])

    public let port: Int
    private let folder: TemporaryFolder
    private let options: [String]
    private let process = Mutex<Process?>(nil)

    /// Starts a server and waits until it takes connections.
    ///
    /// - Parameters:
    ///   - isStandalone: a server without a replica set, hence without retryable writes.
    ///   - needsCredentials: refuses whoever shows none.
    ///   - syncsOnCommit: an answered write survives ``kill()``.
    public init(isStandalone: Bool = false, needsCredentials: Bool = false, syncsOnCommit: Bool = false) async throws {
        folder = try TemporaryFolder()
        port = try Ports.free()
        options =
            ["--enable-test-commands"] + (isStandalone ? ["--standalone"] : []) + (needsCredentials ? ["--auth"] : [])
            + (syncsOnCommit ? ["--sync-on-commit"] : [])
        try await start()
    }

    deinit {
        kill()
    }

    /// A URI of a database of its own, so that tests don't meet.
    public func uri(database: String = "test_\(UUID().uuidString.prefix(8))", options: String = "") -> String {
        "mongodb://127.0.0.1:\(port)/\(database)\(options.isEmpty ? "" : "?\(options)")"
    }

    /// Starts it again, on the same port and data.
    public func start() async throws {
        let server = Process()
        server.executableURL = URL(fileURLWithPath: try Self.executable())
        server.arguments =
            ["--port", "\(port)", "--storage-path", folder.file("data"), "--log-level", "ERROR", "--cache-size", "64M"]
            + options
        server.standardOutput = FileHandle.nullDevice
        server.standardError = FileHandle.nullDevice
        server.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        try server.run()
        let pid = server.processIdentifier
        Self.runningPIDs.withLock { pids in
            if pids.isEmpty { atexit { MongoServer.killAll() } }
            pids.insert(pid)
        }
        process.withLock { $0 = server }
        try Self.guardAgainstOrphaning(pid)
        let answers = await eventually(within: Self.startLimit) { Self.isListening(port) }
        guard answers else { throw Failure(description: "the MongoDB wire server did not start on port \(port)") }
    }

    /// Stops it where it is, or lets it go on: SIGSTOP and SIGCONT.
    public func send(_ signal: Int32) {
        process.withLock { server in
            if let server { Foundation.kill(server.processIdentifier, signal) }
        }
    }

    /// Ends it at once, as a crash would.
    public func kill() {
        guard let server = process.withLock({ $0.take() }) else { return }
        Foundation.kill(server.processIdentifier, SIGKILL)
        server.waitUntilExit()
        _ = Self.runningPIDs.withLock { $0.remove(server.processIdentifier) }
    }

    /// Ends the server when this process has ended without doing so, as it does when it crashes or is killed.
    private static func guardAgainstOrphaning(_ pid: pid_t) throws {
        let watchdog = Process()
        watchdog.executableURL = URL(fileURLWithPath: "/bin/sh")
        watchdog.arguments = [
            "-c", "while kill -0 $1 && kill -0 $2; do sleep 1; done; kill -9 $2", "sh", "\(getpid())", "\(pid)",
        ]
        watchdog.standardOutput = FileHandle.nullDevice
        watchdog.standardError = FileHandle.nullDevice
        try watchdog.run()
    }

    private static func killAll() {
        for pid in runningPIDs.withLock({ $0 }) { Foundation.kill(pid, SIGKILL) }
    }

    private static func executable() throws -> String {
        let folder = ProcessInfo.processInfo.environment["SHIPPY_TEST_VENV"] ?? "\(packageRoot)/.build/test-venv"
        let path = "\(folder)/bin/secantusd-py"
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw Failure(description: "\(path) is missing: make the test environment, or set SHIPPY_TEST_VENV")
        }
        return path
    }

    private static var packageRoot: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
    }

    private static func isListening(_ port: Int) -> Bool {
        let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(probe) }
        var address = loopback(port: port)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(probe, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }
}
