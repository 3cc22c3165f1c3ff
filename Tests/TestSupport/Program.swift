import Foundation

/// A program of ours with addresses of its own: it can be started, ended and started again, and callers find it.
public struct Program: Sendable {
    public var executable: String
    public var arguments: [String]
    public var environment: [String: String]
    /// Where it takes calls, on 127.0.0.1.
    public let port: Int
    /// Where its probes and metrics are, on 127.0.0.1.
    public let adminPort: Int

    /// A service: `vessel`, `user`, `consignment` or `email`.
    ///
    /// - Parameters:
    ///   - store: `DB_HOST`.
    ///   - others: the services that it calls, by name.
    public static func service(
        _ name: String, store: String, calls others: [String: Program] = [:], _ flags: [String] = [],
        environment: [String: String] = [:]
    ) throws -> Program {
        let (port, adminPort) = (try Ports.free(), try Ports.free())
        return Program(
            executable: ProcessRun.product("shippy-\(name)-service"),
            arguments: ["--server_address=127.0.0.1:\(port)", "--admin_address=127.0.0.1:\(adminPort)"] + flags,
            environment: quiet.merging(["DB_HOST": store]) { $1 }.merging(addresses(of: others)) { $1 }
                .merging(environment) { $1 },
            port: port, adminPort: adminPort)
    }

    /// The API gateway in front of services, by their names.
    public static func gateway(
        to services: [String: Program], _ flags: [String] = [], environment: [String: String] = [:]
    ) throws -> Program {
        let (port, adminPort) = (try Ports.free(), try Ports.free())
        return Program(
            executable: ProcessRun.product("shippy-api-gateway"),
            arguments: [
                "--address=127.0.0.1:\(port)", "--admin_address=127.0.0.1:\(adminPort)",
                "--services=\(services.keys.sorted().joined(separator: ","))",
            ] + flags,
            environment: quiet.merging(addresses(of: services)) { $1 }.merging(environment) { $1 },
            port: port, adminPort: adminPort)
    }

    /// The vessel service.
    ///
    /// - Parameter store: `DB_HOST`.
    public static func vessel(
        store: String, _ flags: [String] = [], environment: [String: String] = [:]
    ) async throws -> Program {
        try service("vessel", store: store, flags, environment: environment)
    }

    /// The API gateway in front of `vessel` alone.
    public static func gateway(
        to vessel: Program, _ flags: [String] = [], environment: [String: String] = [:]
    ) async throws -> Program {
        try gateway(to: ["vessel": vessel], flags, environment: environment)
    }

    private static func addresses(of services: [String: Program]) -> [String: String] {
        [String: String](
            uniqueKeysWithValues: services.map { ("\($0.uppercased())_ADDRESS", "127.0.0.1:\($1.port)") })
    }

    /// A crash report takes seconds and megabytes; whoever debugs one switches it on. And libmongoc keeps counters in
    /// shared memory, which stays behind when its process is killed.
    static let quiet = ["SWIFT_BACKTRACE": "enable=no", "MONGOC_DISABLE_SHM": "1"]

    /// Starts it and does not wait.
    public func launch(_ moreFlags: [String] = []) throws -> ProcessRun {
        try ProcessRun(executable, arguments + moreFlags, environment: environment)
    }

    /// Starts it and waits until it listens, for calls and for probes.
    public func start(_ moreFlags: [String] = []) async throws -> ProcessRun {
        let run = try launch(moreFlags)
        try await run.waitForOutput("\"for\":\"calls\"")
        try await run.waitForOutput("\"for\":\"admin\"")
        return run
    }

    /// Starts it and waits until it says that it is ready.
    public func startReady(_ moreFlags: [String] = []) async throws -> ProcessRun {
        let run = try await start(moreFlags)
        try await eventually("readiness of \(executable): \(run.output.suffix(1_000))") {
            try await Web.get(adminPort, "/readyz").status == 200
        }
        return run
    }
}

extension ProcessRun {
    /// SIGTERM, and the exit status that follows.
    public func stop(within timeout: Duration = .seconds(25)) async throws -> Int32 {
        send(SIGTERM)
        return try await status(within: timeout)
    }

    /// SIGKILL, and the end that follows.
    public func crash() async throws {
        send(SIGKILL)
        _ = try await status()
    }

    /// Resident memory in KiB; `nil` when it does not run.
    public var residentKiB: Int? {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return nil }
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
    }
}
