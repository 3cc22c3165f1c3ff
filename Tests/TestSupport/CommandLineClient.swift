/// The command-line client `shippy` of one person, with a home folder of its own. Nothing of the real one is touched.
public struct CommandLineClient: Sendable {
    /// How a command ended.
    public struct Ending: Sendable {
        public let status: Int32
        public let output: String
        public let errors: String
    }

    public let home: TemporaryFolder
    public var environment: [String: String]

    /// - Parameter url: the gateway's, for `SHIPPY_URL`.
    public init(gateway url: String) throws {
        home = try TemporaryFolder()
        environment = [
            "HOME": home.path, "XDG_CONFIG_HOME": home.file("config"), "SHIPPY_URL": url,
            // A crash report takes seconds and megabytes.
            "SWIFT_BACKTRACE": "enable=no",
        ]
    }

    /// Where its tokens are.
    public var tokenFile: String { home.file("config/shippy/token") }

    /// Runs a command to its end.
    ///
    /// - Parameters:
    ///   - input: what it reads from standard input, which is no terminal.
    ///   - variables: win over those of ``environment``.
    public func run(
        _ arguments: [String], input: String = "", environment variables: [String: String] = [:]
    ) async throws -> Ending {
        let run = try ProcessRun(
            "sh", ["-c", "printf %s \"$INPUT\" | \"$@\"", "sh", ProcessRun.product("shippy")] + arguments,
            environment: environment.merging(["INPUT": input]) { $1 }.merging(variables) { $1 })
        let status = try await run.status(within: .seconds(60))
        return Ending(status: status, output: run.output, errors: run.errors)
    }
}
