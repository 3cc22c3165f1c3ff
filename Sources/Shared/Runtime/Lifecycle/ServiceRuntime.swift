import Contracts
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import RPC
import Synchronization
import Traces

/// What every program has: settings, logs, metrics, event loops, health; and it makes servers and clients that use them.
public final class ServiceRuntime: Sendable {
    /// The short name, such as `vessel`.
    public let name: String
    public let configuration: ServiceConfiguration
    /// The environment, for settings of the program's own.
    public let settings: Settings
    public let logger: Logger
    /// Changes what is logged while the program runs.
    public let logLevels: LogLevelSwitch
    public let group: MultiThreadedEventLoopGroup
    public let metrics: MetricsRegistry
    /// The recorders of the program's own RPC methods.
    public let rpcMetrics: RPCMetrics
    /// The recorders of the RPC methods that the program calls elsewhere.
    public let clientMetrics: RPCMetrics
    /// Writes a line for each call; `nil` where nobody reads any.
    public let callLog: CallLog?
    /// How late the event loops run.
    public let loopLag: LoopLag
    /// Whether calls are counted and traced: not with `OTEL_SDK_DISABLED=true`.
    public let isTelemetryEnabled: Bool
    public let readiness = Readiness()
    /// Memory budget of all connections of the program.
    public let memory: MemoryBudget
    /// Gives calls their place in a trace; records those that are sampled, where `OTEL_EXPORTER_OTLP_ENDPOINT` says where to.
    public let tracer: SpanTracer
    /// Of traces, metrics and logs, where they are exported.
    let exporters: Exporters

    /// For servers that are made elsewhere; `nil` without `--tls_cert`.
    public let serverTLS: NIOSSLContext?
    /// For clients that are made elsewhere; `nil` without `--tls_ca`.
    public let clientTLS: NIOSSLContext?
    private let clients = Mutex<[RPCClient]>([])

    /// Reads the TLS files; starts no thread but the group's, which ``stop()`` ends.
    ///
    /// - Parameter output: where `logger` and `callLog` write, so that their lines can be exported; `nil` exports none.
    /// - Throws: ``ConfigurationError`` when a TLS file or an `OTEL_` variable can't be used.
    public init(
        name: String, configuration: ServiceConfiguration, environment: [String: String], logger: Logger,
        logLevels: LogLevelSwitch, metrics: MetricsRegistry, callLog: CallLog? = nil, output: LogOutput? = nil,
        serverProtocols: [String] = ["h2"]
    ) throws(ConfigurationError) {
        serverTLS = try configuration.tls.serverContext(protocols: serverProtocols)
        clientTLS = try configuration.tls.clientContext()
        self.name = name
        self.configuration = configuration
        self.settings = Settings(environment: environment)
        isTelemetryEnabled = try settings.value("OTEL_SDK_DISABLED", .boolean) != true
        self.logger = logger
        self.callLog = callLog
        self.logLevels = logLevels
        self.metrics = metrics
        memory = MemoryBudget(
            limitBytes: configuration.memoryLimitBytes ?? MemoryLimit.ofContainer() ?? MemoryBudget.limitBytesDefault)
        rpcMetrics = RPCMetrics(registry: metrics, isEnabled: isTelemetryEnabled)
        clientMetrics = RPCMetrics(registry: metrics, side: .client, isEnabled: isTelemetryEnabled)
        let telemetry = try TelemetrySettings(name: name, settings, isDisabled: !isTelemetryEnabled)
        group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
        exporters = telemetry.makeExporters(
            group: group, registry: metrics, output: output,
            logger: output.map { ServiceRuntime.unexportedLogger(name, $0, logLevels) } ?? logger)
        tracer = SpanTracer(sampler: telemetry.traces.sampler, buffer: exporters.spans)
        loopLag = Self.loopLag(group, metrics)
        registerOwnMetrics()
        loopLag.start()
    }

    /// The gRPC server at the configured address: these routes and the health service, recorded, with TLS if asked for.
    ///
    /// - Parameter configure: changes limits before the server is made.
    public func rpcServer(
        _ routes: [RPCRoute], configure: (inout RPCServer.Configuration) -> Void = { _ in }
    ) -> RPCServer {
        let health = HealthRoute.make(readiness: readiness, services: Set(routes.map(\.service)))
        var serverConfiguration = RPCServer.Configuration(address: configuration.address, tls: serverTLS)
        serverConfiguration.connectionsMax = ProcessLimits.connections(serverConfiguration.connectionsMax)
        if !self.configuration.overloadControl { serverConfiguration.callsMax = .max }
        serverConfiguration.tracer = tracer
        serverConfiguration.memory = memory
        serverConfiguration.connectionAgeMax = self.configuration.connectionAgeMax
        configure(&serverConfiguration)
        let server = RPCServer(
            routes: routes + [health], configuration: serverConfiguration, group: group, logger: logger,
            observer: { service, method in self.observer(service: service, method: method) })
        metrics.counter("rpc_server_refusals_total", "Calls shed before anything was done for them.") {
            [weak server] in Double(server?.shedCalls ?? 0)
        }
        metrics.gauge("rpc_server_connections", "Connections that clients have open.") { [weak server] in
            Double(server?.connectionCount ?? 0)
        }
        return server
    }

    /// A client of another service, at `NAME_ADDRESS` or by the static rule; closed after the program has drained.
    ///
    /// - Parameter service: the short name, such as `vessel`.
    /// - Throws: ``ConfigurationError`` when the variable is not host:port.
    public func client(of service: String) throws(ConfigurationError) -> RPCClient {
        let target = try ServiceAddress.resolve(service, environment: settings.environment)
        let clientMetrics = clientMetrics
        var clientConfiguration = RPCClient.Configuration(target: target, tls: clientTLS)
        clientConfiguration.memory = memory
        clientConfiguration.connectWait = configuration.connectWait
        let client = RPCClient(
            configuration: clientConfiguration, group: group, logger: logger,
            observer: { service, method in clientMetrics.recorder(service: service, method: method) })
        metrics.gauge(
            "rpc_client_connections", "Connections open to another service.", labels: target.labels
        ) { [weak client] in
            Double(client?.connectionCount ?? 0)
        }
        clients.withLock { $0.append(client) }
        return client
    }

    /// Closes the clients.
    func closeClients() async {
        for client in clients.withLock({ $0 }) {
            await client.shutdown()
        }
    }

    /// Ends the event loops. After this nothing of the runtime may be used.
    public func stop() async {
        loopLag.stop()
        try? await group.shutdownGracefully()
    }
}

/// What the runtime shows of a program that is no program's own.
extension ServiceRuntime {
    /// What counts and logs the calls of an RPC method that the program serves.
    func observer(service: String, method: String) -> (any CallObserver)? {
        let recorder = rpcMetrics.recorder(service: service, method: method)
        guard let callLog else { return recorder }
        return MethodObserver(
            recorder: recorder, log: callLog, method: service.isEmpty ? method : "\(service)/\(method)",
            isProbe: service == HealthMethods.service)
    }

    /// Build, readiness, lines left out, and the lag of the event loops.
    func registerOwnMetrics() {
        BuildInfo.register(in: metrics, service: name, settings: settings)
        callLog?.register(in: metrics)
        MemoryMetrics.register(memory, in: metrics)
        let readiness = readiness
        metrics.gauge("shippy_ready", "1 while the program can serve, as /readyz says it.") {
            readiness.report().isReady ? 1 : 0
        }
        let lag = loopLag
        for index in 0..<configuration.threads {
            metrics.gauge(
                "event_loop_current_lag_seconds", "How late an event loop runs at this moment.",
                labels: [("loop", "\(index)")]
            ) {
                let all = lag.nanoseconds
                return all.indices.contains(index) ? Double(all[index]) / 1e9 : .nan
            }
        }
    }

    /// For what exporters say about themselves: exported, it would give them more to say.
    static func unexportedLogger(_ name: String, _ output: LogOutput, _ levels: LogLevelSwitch) -> Logger {
        Logger(label: name) { label in
            LineLogHandler(service: name, label: label, output: output.unexported, levels: levels)
        }
    }

    /// Watches the loops' lag, which is recorded as `event_loop_lag_seconds`.
    static func loopLag(_ group: MultiThreadedEventLoopGroup, _ metrics: MetricsRegistry) -> LoopLag {
        let lags = LatencyHistogram()
        metrics.histogram("event_loop_lag_seconds", "How late event loops ran a task, a few times a second.", lags)
        return LoopLag(group: group) { lags.record(nanoseconds: $0) }
    }
}
