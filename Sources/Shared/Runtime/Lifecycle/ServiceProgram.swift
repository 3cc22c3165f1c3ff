import ArgumentParser
import CoreMetrics
import Glibc
import Logging
import ServiceLifecycle
import Tracing
import UnixSignals

/// A program of the system: flags, and a function that builds its parts. Mark the conforming type `@main`.
///
/// ```swift
/// @main
/// struct VesselProgram: ServiceProgram {
///     static let configuration = CommandConfiguration(commandName: "shippy-vessel-service", abstract: "…")
///     static let serviceName = "vessel"
///     @OptionGroup var options: ServiceOptions
///
///     func build(_ runtime: ServiceRuntime) throws -> ServiceParts { … }
/// }
/// ```
public protocol ServiceProgram: ParsableCommand {
    associatedtype Options: ProgramOptions

    /// The short name in logs, such as `vessel`.
    static var serviceName: String { get }

    /// What ALPN offers on the program's own address.
    static var serverProtocols: [String] { get }

    /// The flags that all programs of this kind have; declare it as an `@OptionGroup`.
    var options: Options { get }

    /// Wires the parts. Runs once, before anything listens; opens nothing.
    ///
    /// - Throws: ``ConfigurationError`` for settings that can't be used.
    func build(_ runtime: ServiceRuntime) async throws -> ServiceParts
}

extension ServiceProgram {
    public static var serverProtocols: [String] { ["h2"] }

    /// Runs the program to its end and exits: 0 after a drain, 64 for flags or variables that can't be used, 1 when a
    /// part failed. With `--healthcheck` it asks the one that runs: 0 when that is ready, else 1. What went wrong is one
    /// line on standard error.
    public static func main() async {
        ProcessLimits.ignoreBrokenPipes()
        ProcessLimits.raiseOpenFiles()
        ProcessLimits.returnLargeBlocks()
        let program: Self
        do {
            program = try parse()
        } catch {
            endParsing(error)
        }
        do {
            let environment = Settings.ofProcess().environment
            if program.options.common.asksHealth {
                try HealthProbe.check(program.options.configuration(environment: environment).adminAddress)
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
        let configuration = try options.configuration(environment: environment)
        let levels = LogLevelSwitch(configuration.logLevel)
        let output = LogOutput.standard()
        LoggingSystem.bootstrap { label in
            LineLogHandler(service: Self.serviceName, label: label, output: output, levels: levels)
        }
        let metrics = MetricsRegistry()
        MetricsSystem.bootstrap(metrics)
        ProcessMetrics.register(in: metrics)
        let runtime = try ServiceRuntime(
            name: Self.serviceName, configuration: configuration, environment: environment,
            logger: Logger(label: Self.serviceName), logLevels: levels, metrics: metrics,
            callLog: CallLog(service: Self.serviceName, output: output, levels: levels, mode: configuration.callLog),
            output: output, serverProtocols: Self.serverProtocols)
        InstrumentationSystem.bootstrap(runtime.tracer)
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

    /// `--help` and the like go to standard output; anything else is a complaint in one line.
    private static func endParsing(_ error: any Error) -> Never {
        if exitCode(for: error).isSuccess {
            LogOutput(descriptor: STDOUT_FILENO, style: .terminal).write(Array((fullMessage(for: error) + "\n").utf8))
            endProcess(0)
        }
        end(64, "\(message(for: error)); see --help")
    }

    private static func end(_ status: Int32, _ complaint: String) -> Never {
        let line = complaint.split(whereSeparator: \.isNewline).joined(separator: " ")
        LogOutput(descriptor: STDERR_FILENO, style: .terminal).write(Array("\(_commandName): \(line)\n".utf8))
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
    /// Opened at the start and waited for; the program is ready only while it answers.
    public var store: (any StoreLifecycle)?
    /// Runs once after the store opened and before the program is ready, such as seeding; tried again when it throws.
    public var prepare: @Sendable () async throws -> Void
    /// Run beside the front from the time that the store is open, such as a relay. Each must end on graceful shutdown.
    public var background: [any Service]

    public init(
        front: any Listener,
        store: (any StoreLifecycle)? = nil,
        background: [any Service] = [],
        prepare: @escaping @Sendable () async throws -> Void = {}
    ) {
        self.front = front
        self.store = store
        self.background = background
        self.prepare = prepare
    }
}
