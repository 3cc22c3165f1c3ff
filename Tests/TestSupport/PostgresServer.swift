import Foundation
import Synchronization

/// A PostgreSQL cluster of its own in processes of its own, on a free port of 127.0.0.1 and in a folder of its own.
///
/// Whoever comes in shows a password (SCRAM). Clusters take a second or two to make, databases in one a few hundredths: tests
/// that don't break their server take a database of ``shared``.
public final class PostgresServer: Sendable {
    /// One server for all tests of a process that only read and write. It ends with the process.
    public static let shared = Task { try await PostgresServer() }

    /// The superuser of every cluster.
    public static let user = "captain"
    /// Holds what has a meaning in URIs, so that nobody forgets to escape.
    public static let password = "Salt & Sea: p@ss/word?"

    private static let startLimit: Duration = .seconds(60)

    public let port: Int
    private let folder: TemporaryFolder
    private let settings: [String]
    private let process = Mutex<ProcessRun?>(nil)

    /// Makes a cluster, starts it and waits until it takes connections.
    ///
    /// - Parameters:
    ///   - isDurable: an answered commit survives a power cut, and not only ``kill()``.
    ///   - certificate: files of a server's certificate and key in PEM; with them it speaks TLS.
    ///   - settings: more of them, each as `name=value`.
    ///   - starts: false leaves it to ``start()``.
    public init(
        isDurable: Bool = false, certificate: (certificate: String, key: String)? = nil, settings: [String] = [],
        starts: Bool = true
    ) async throws {
        folder = try TemporaryFolder(isStatic: true)
        port = try Ports.free()
        var settings =
            [
                "listen_addresses=127.0.0.1", "port=\(port)", "unix_socket_directories=", "shared_buffers=16MB",
                "fsync=\(isDurable ? "on" : "off")", "max_connections=150", "log_min_messages=warning",
            ] + settings
        try "\(Self.password)\n".write(toFile: folder.file("password"), atomically: true, encoding: .utf8)
        if let certificate {
            for (file, copy) in [(certificate.certificate, "server.pem"), (certificate.key, "server.key")] {
                try FileManager.default.copyItem(atPath: file, toPath: folder.file(copy))
                chmod(folder.file(copy), 0o600)
                Self.giveAway(folder.file(copy))
            }
            settings += [
                "ssl=on", "ssl_cert_file=\(folder.file("server.pem"))", "ssl_key_file=\(folder.file("server.key"))",
            ]
        }
        self.settings = settings
        Self.giveAway(folder.file("password"))
        Self.giveAway(folder.path)
        let words = Self.asServer([
            Self.tool("initdb"), "--pgdata=\(folder.file("data"))", "--auth=scram-sha-256",
            "--username=\(Self.user)", "--pwfile=\(folder.file("password"))", "--encoding=UTF8", "--locale=C",
            "--no-sync", "--no-instructions",
        ])
        try await Tool.run(words[0], Array(words.dropFirst()))
        if starts { try await start() }
    }

    /// Starts it again, on the same port and data, and waits until it takes connections.
    public func start() async throws {
        var arguments = ["-D", folder.file("data")]
        for setting in settings { arguments += ["-c", setting] }
        let words = Self.asServer([Self.tool("postgres")] + arguments)
        let end = ContinuousClock.now + Self.startLimit
        while true {
            let run = try ProcessRun(words[0], Array(words.dropFirst()))
            process.withLock { $0 = run }
            // After a kill, the last of the old processes may still hold the shared memory: then this one ends at once.
            while (try? await run.status(within: .zero)) == nil {
                let isUp = try await Self.succeeds("pg_isready", ["-q", "-h", "127.0.0.1", "-p", "\(port)"])
                if isUp { return }
                guard ContinuousClock.now < end else {
                    throw Overdue(description: "PostgreSQL did not start: \(run.errors.suffix(2_000))")
                }
            }
            guard ContinuousClock.now < end else {
                throw Overdue(description: "PostgreSQL did not start: \(run.errors.suffix(2_000))")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Ends it as an operator does who waits for nobody: clients are thrown out, the data is written.
    public func stop() async throws {
        guard let run = process.withLock({ $0.take() }) else { return }
        run.send(SIGINT)
        _ = try await run.status(within: .seconds(30))
    }

    /// Ends all of its processes at once, as a crash would.
    public func kill() async throws {
        guard let run = process.withLock({ $0.take() }) else { return }
        let children = Self.children(of: run.pid)
        run.send(SIGKILL)
        for child in children { Foundation.kill(child, SIGKILL) }
        _ = try await run.status()
    }

    /// Sends a signal to each process that serves a client, or to that which takes connections in as well.
    public func signalBackends(_ signal: Int32, andPostmaster: Bool = false) {
        guard let pid = process.withLock({ $0?.pid }) else { return }
        if andPostmaster { Foundation.kill(pid, signal) }
        for child in Self.children(of: pid) where Self.title(of: child).contains("127.0.0.1(") {
            Foundation.kill(child, signal)
            // One that is stopped does not notice the end of the others.
            if signal == SIGSTOP { ProgramWatchdog.began(child, output: "") }
            if signal == SIGCONT { ProgramWatchdog.ended(child) }
        }
    }

    // MARK: Databases

    /// A URI of a database that is there.
    public func uri(database: String, user: String = user, password: String = password, options: String = "") -> String
    {
        let question = options.isEmpty ? "" : "?\(options)"
        return "postgresql://\(Self.escaped(user)):\(Self.escaped(password))@127.0.0.1:\(port)/\(database)\(question)"
    }

    /// Makes an empty database.
    ///
    /// - Returns: its URI.
    public func database(_ name: String = "test_\(UUID().uuidString.prefix(8).lowercased())") async throws -> String {
        _ = try await sql("CREATE DATABASE \"\(name)\"")
        return uri(database: name)
    }

    /// Runs SQL as superuser.
    ///
    /// - Returns: the rows, one a line, with `|` between columns.
    @discardableResult
    public func sql(_ sql: String, in database: String = "postgres") async throws -> String {
        try await Self.sql(sql, at: uri(database: database))
    }

    /// Runs SQL in the database of a URI.
    @discardableResult
    public static func sql(_ sql: String, at uri: String) async throws -> String {
        let output = try await Tool.run(
            tool("psql"), ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, uri])
        return output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
    }
}

// MARK: - Processes

extension PostgresServer {
    /// PostgreSQL does not run as root, so root hands it to somebody else.
    private static let owner: (uid: uid_t, gid: gid_t)? = {
        guard geteuid() == 0 else { return nil }
        guard let entry = getpwnam("postgres") ?? getpwnam("nobody") else { return nil }
        return (entry.pointee.pw_uid, entry.pointee.pw_gid)
    }()

    private static func asServer(_ words: [String]) -> [String] {
        guard let owner else { return words }
        // Its programs find themselves by leaving their folder and coming back, and it may not enter every one of ours.
        let outside = ["env", "--chdir=/"]
        return outside + ["setpriv", "--reuid=\(owner.uid)", "--regid=\(owner.gid)", "--clear-groups"] + words
    }

    private static func giveAway(_ path: String) {
        if let owner { chown(path, owner.uid, owner.gid) }
    }

    /// Where Debian keeps the server's programs, the newest version first; else the path.
    private static func tool(_ name: String) -> String {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let paths = versions.sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }.map { "\(root)/\($0)/bin/\(name)" }
        return paths.first { FileManager.default.isExecutableFile(atPath: $0) } ?? name
    }

    private static func succeeds(_ name: String, _ arguments: [String]) async throws -> Bool {
        try await ProcessRun(tool(name), arguments).status() == 0
    }

    private static func children(of pid: pid_t) -> [pid_t] {
        let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)
        return text?.split(separator: " ").compactMap { pid_t($0) } ?? []
    }

    private static func title(of pid: pid_t) -> String {
        (try? String(contentsOfFile: "/proc/\(pid)/cmdline", encoding: .utf8)) ?? ""
    }
}
