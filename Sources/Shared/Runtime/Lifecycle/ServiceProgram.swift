import Glibc
import Logging
import ServiceLifecycle
import Storage
import UnixSignals

/// A program of the system: its settings, and a function that builds its parts. Mark the conforming type `@main`.
///
/// ```swift
/// @main
/// struct VesselService: ServiceProgram {
///     static let commandName = "shippy-vessel-service"
///     static let abstract = "…"
///     static let serviceName = "vessel"
///     static let ownSettings: [Setting<VesselService>] = [
///         .toggle(flag: "seed", variable: "SEED_DATA", "…") { $0.seeds = true }
///     ]
///     var configuration = ServiceConfiguration()
///     var seeds = false
///
///     func build(_ runtime: ServiceRuntime) throws -> ServiceParts { … }
/// }
/// ```
public protocol ServiceProgram: Sendable {
    /// The name of the executable, in help and complaints.
    static var commandName: String { get }

    /// What it is, in one line of `--help`.
    static var abstract: String { get }

    /// The short name in logs, such as `vessel`.
    static var serviceName: String { get }

    /// What ALPN offers on the program's own address.
    static var serverProtocols: [String] { get }

    /// The settings that it has in common with other programs: those of a gRPC service, unless it says otherwise.
    static var sharedSettings: [Setting<Self>] { get }

    /// The settings that are its own.
    static var ownSettings: [Setting<Self>] { get }

    /// What the shared settings say.
    var configuration: ServiceConfiguration { get set }

    /// The program with its defaults.
    init()

    /// Checks what no single setting can tell. Runs once, after all settings were read.
    mutating func checkSettings() throws(ConfigurationError)

    /// Wires the parts. Runs once, before anything listens; opens nothing.
    ///
    /// - Throws: ``ConfigurationError`` for settings that can't be used.
    func build(_ runtime: ServiceRuntime) async throws -> ServiceParts
}

extension ServiceProgram {
    public static var serverProtocols: [String] { ["h2"] }

    public static var sharedSettings: [Setting<Self>] { serviceSettings + commonSettings }

    public mutating func checkSettings() throws(ConfigurationError) {}

    /// All settings, in the order in which they are read and listed.
    static var settings: [Setting<Self>] { sharedSettings + ownSettings }

    /// The program as flags and variables set it up. Touches nothing outside its arguments.
    ///
    /// - Parameter flags: the words of the command line, without the program's name.
    /// - Throws: what can't be used, in one line that names the flag or variable.
    package init(_ flags: [String], environment: [String: String] = [:]) throws(ConfigurationError) {
        try self.init(Arguments(flags, Self.settings), environment)
    }

    private init(_ arguments: Arguments, _ environment: [String: String]) throws(ConfigurationError) {
        self.init()
        let variables = Settings(environment: environment)
        for setting in Self.settings { try setting.read(into: &self, arguments, variables) }
        try configuration.tls.checkPair()
        try checkSettings()
    }

    /// Runs the program to its end and exits: 0 after a drain, 64 for flags or variables that can't be used, 1 when a
    /// part failed. With `--healthcheck` it asks the one that runs: 0 when that is ready, else 1. What went wrong is one
    /// line on standard error.
    public static func main() async {
        ProcessLimits.ignoreBrokenPipes()
        ProcessLimits.raiseOpenFiles()
        ProcessLimits.returnLargeBlocks()
        do {
            let arguments = try Arguments(Array(CommandLine.arguments.dropFirst()), settings)
            if arguments.asksHelp { endWithHelp() }
            let environment = Settings.ofProcess().environment
            let program = try Self(arguments, environment)
            if program.configuration.asksHealth {
                try HealthProbe.check(program.configuration.adminAddress)
            } else {
                try await program.runToEnd(environment: environment)
            }
        } catch let error as ConfigurationError {
            end(64, error.description)
        } catch {
            end(1, "\(error)")
        }
        endProcess(0)
    }

    private func runToEnd(environment: [String: String]) async throws {
        let levels = LogLevelSwitch(configuration.logLevel)
        let output = LogOutput.standard()
        LoggingSystem.bootstrap { label in
            LineLogHandler(service: Self.serviceName, label: label, output: output, levels: levels)
        }
        let metrics = MetricsRegistry()
        ProcessMetrics.register(in: metrics)
        let runtime = try ServiceRuntime(
            name: Self.serviceName, configuration: configuration, environment: environment,
            logger: Logger(label: Self.serviceName), logLevels: levels, metrics: metrics,
            callLog: CallLog(service: Self.serviceName, output: output, levels: levels, mode: configuration.callLog),
            output: output, serverProtocols: Self.serverProtocols)
        // From here on a signal stops the program in order; until here it simply ends it.
        let signals = await Self.signals()
        let parts = try await build(runtime)
        try await ServiceRunner(runtime: runtime, parts: parts).run(signals: signals)
        await runtime.stop()
    }

    private static func signals() async -> AsyncStream<Int32> {
        let trapped = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        return AsyncStream { continuation in
            let task = Task {
                for await signal in trapped { continuation.yield(signal.rawValue) }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private static func endWithHelp() -> Never {
        let help = Setting.help(of: commandName, abstract: abstract, settings)
        LogOutput(descriptor: STDOUT_FILENO, style: .terminal).write(Array(help.utf8))
        endProcess(0)
    }

    private static func end(_ status: Int32, _ complaint: String) -> Never {
        let line = complaint.split(whereSeparator: \.isNewline).joined(separator: " ")
        LogOutput(descriptor: STDERR_FILENO, style: .terminal).write(Array("\(commandName): \(line)\n".utf8))
        endProcess(status)
    }
}

/// Ends the process without the exit handlers of its libraries.
///
/// A part that failed, or a store that hangs, may leave threads inside a driver, and OpenSSL's handler would take from
/// under them what they work with: a crash in place of the status. Nothing is lost, as logs are written unbuffered.
private func endProcess(_ status: Int32) -> Never {
    _exit(status)
}

/// Why a program ends with a non-zero status, in one line for standard error.
public struct ProgramFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    /// - Parameter description: one line without secrets.
    public init(_ description: String) {
        self.description = description
    }
}

/// What a program consists of, beside what all programs have. Made by ``ServiceProgram/build(_:)``.
public struct ServiceParts: Sendable {
    /// Takes the calls: ``ServiceRuntime/rpcServer(_:configure:)``, or the gateway's HTTP server.
    public var front: any Listener
    /// Started with the program and waited for; the program is ready only while it is.
    public var store: (any Store)?
    /// Where the store is, for logs and complaints; without user, password or options.
    public var storeAddress: String
    /// Runs once after the store opened and before the program is ready, such as seeding; tried again when it throws.
    public var prepare: @Sendable () async throws -> Void
    /// Run beside the front from the time that the store is open, such as a relay. Each must end on graceful shutdown.
    public var background: [any Service]

    public init(
        front: any Listener,
        store: (any Store)? = nil,
        storeAddress: String = "",
        background: [any Service] = [],
        prepare: @escaping @Sendable () async throws -> Void = {}
    ) {
        self.front = front
        self.store = store
        self.storeAddress = storeAddress
        self.background = background
        self.prepare = prepare
    }
}
