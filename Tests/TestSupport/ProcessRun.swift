import Foundation
import NIOCore
import Synchronization

/// A program that a test starts and owns: killed with the object if it still runs.
public final class ProcessRun: Sendable {
    public let pid: pid_t
    private let folder: String
    private let exit = Mutex<Int32?>(nil)

    /// Starts `executable`, standard input empty, output and errors kept in files.
    ///
    /// - Parameter environment: all of it; nothing is inherited but PATH.
    public init(_ executable: String, _ arguments: [String] = [], environment: [String: String] = [:]) throws {
        folder = NSTemporaryDirectory() + "shippy-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let variables = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"]
            .merging(environment) { _, own in own }
        pid = try Self.spawn(executable, arguments, variables, output: folder)
        ProgramWatchdog.began(pid, output: folder)
    }

    deinit {
        if exit.withLock({ $0 }) == nil {
            kill(pid, SIGKILL)
            ProgramWatchdog.ended(pid)
            var status: Int32 = 0
            waitpid(pid, &status, 0)
        }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// The path of a program that this package builds, beside the running test bundle.
    public static func product(_ name: String) -> String {
        let bundle =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return (bundle as NSString).deletingLastPathComponent + "/" + name
    }

    /// The file that holds what it writes to standard output.
    public var outputFile: String { "\(folder)/stdout" }

    /// What it wrote to standard output so far.
    public var output: String { text("stdout") }
    /// What it wrote to standard error so far.
    public var errors: String { text("stderr") }

    private func text(_ name: String) -> String {
        // Foundation of Swift 6.3 leaks its buffer when the file is empty, which would hide leaks of ours.
        var info = stat()
        guard stat("\(folder)/\(name)", &info) == 0, info.st_size > 0 else { return "" }
        let data = FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data()
        return String(decoding: data, as: UTF8.self)
    }

    public func send(_ signal: Int32) {
        kill(pid, signal)
    }

    /// Its exit status, or 128 + signal when a signal ended it.
    ///
    /// - Throws: ``Overdue`` when it still runs after `timeout`.
    public func status(within timeout: Duration = .seconds(20)) async throws -> Int32 {
        try await eventually("the end of \(pid); \(account)", within: timeout) {
            poll() != nil
        }
        return poll() ?? -1
    }

    /// Waits until it wrote `text` to standard output.
    public func waitForOutput(_ text: String, within timeout: Duration = .seconds(20)) async throws {
        try await eventually("'\(text)' in the output; \(account)", within: timeout) {
            if output.contains(text) { return true }
            // Whoever is gone says nothing more; but its last words may have come between the two looks.
            guard poll() != nil, !output.contains(text) else { return false }
            throw Overdue(description: "it ended without '\(text)' in its output; \(account)")
        }
    }

    /// For complaints: whether it runs, and what it said last.
    private var account: String {
        let state = poll().map { "ended with \($0)" } ?? "runs"
        return "it \(state) and said: \(output.suffix(1_000)) \(errors.suffix(1_000))"
    }

    private func poll() -> Int32? {
        exit.withLock { exit in
            if exit != nil { return exit }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            ProgramWatchdog.ended(pid)
            // The low seven bits are the signal, the next byte the status; the C macros don't import.
            exit = status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
            return exit
        }
    }
}

extension ProcessRun {
    private static func spawn(
        _ executable: String, _ arguments: [String], _ environment: [String: String], output folder: String
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let create = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, folder + "/stdout", create, 0o600)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, folder + "/stderr", create, 0o600)
        // NIO does not mark its sockets close-on-exec: a copy of those of tests that run at the same time would keep
        // ports taken and connections open. To close what is not open is no error here.
        for descriptor in (STDERR_FILENO + 1)..<1_024 { posix_spawn_file_actions_addclose(&actions, descriptor) }

        // The threads of Swift's pool block signals, and a child inherits that: it would never hear of SIGTERM.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        let words = ([executable] + arguments).map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (words + variables).forEach { free($0) } }
        var pid: pid_t = 0
        let error = posix_spawnp(&pid, executable, &actions, &attributes, words, variables)
        guard error == 0 else {
            throw Overdue(description: "can't start \(executable): \(String(cString: strerror(error)))")
        }
        return pid
    }
}

/// Programs that tests ask for an answer and that end by themselves.
public enum Tool {
    /// Runs `executable` to its end.
    ///
    /// - Returns: its standard output.
    /// - Throws: ``Overdue`` when it takes too long or ends with another status than 0.
    @discardableResult
    public static func run(
        _ executable: String, _ arguments: [String], within timeout: Duration = .seconds(60)
    ) async throws -> String {
        let run = try ProcessRun(executable, arguments)
        let status = try await run.status(within: timeout)
        guard status == 0 else {
            throw Overdue(description: "\(executable) ended with \(status): \(run.errors.suffix(2_000))")
        }
        return run.output
    }

    /// The Python of the tests' virtual environment: `SHIPPY_TEST_VENV`, else `.build/test-venv`.
    public static var python: String {
        var root = #filePath as NSString
        for _ in 0..<3 { root = root.deletingLastPathComponent as NSString }
        let standard = (root as String) + "/.build/test-venv"
        return (ProcessInfo.processInfo.environment["SHIPPY_TEST_VENV"] ?? standard) + "/bin/python3"
    }
}
