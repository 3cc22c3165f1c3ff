import Logging
import NIOCore
import RPC

/// What every program needs to know to start and stop, read from flags and environment and checked.
public struct ServiceConfiguration: Sendable, Equatable {
    /// Where it takes calls.
    public var address: HostPort
    /// Where `/healthz`, `/readyz` and `/metrics` are served over HTTP.
    public var adminAddress: HostPort
    public var logLevel: Logger.Level
    /// Which calls get a line in the log.
    public var callLog: CallLogMode
    /// How long calls in flight may go on after SIGTERM.
    public var drainTimeout: Duration
    /// How long a call to another service waits for a connection when there is none.
    public var connectWait: Duration
    /// How long to wait for a store that can't be reached; `nil` waits for ever.
    public var storeTimeout: Duration?
    /// How long a store may deny access, such as for wrong credentials, before the program ends; never longer than
    /// ``storeTimeout``. No flag sets it.
    public var storeFailureGrace: Duration = .seconds(60)
    /// Age at which a caller has to replace its connection; `nil` for none.
    public var connectionAgeMax: Duration?
    /// Event-loop threads.
    public var threads: Int
    public var tls: TLSFiles
    /// Memory that the process may use, in bytes; `nil` takes the container's limit, or 256 MiB when there is none.
    public var memoryLimitBytes: Int?
    /// Whether calls are shed when there are too many.
    public var overloadControl = true

    private static let connectWaitStandard: Duration = .seconds(2)
    private static let connectionAgeStandard: Duration = .seconds(300)
    /// The number of event-loop threads that can be asked for.
    public static let threadsRange = 1...256

    /// Programmatic settings, for tests: nothing is read from outside.
    public init(address: HostPort, adminAddress: HostPort, threads: Int = 1) {
        self.address = address
        self.adminAddress = adminAddress
        logLevel = .info
        callLog = .sampled
        drainTimeout = .seconds(20)
        connectWait = Self.connectWaitStandard
        storeTimeout = nil
        connectionAgeMax = Self.connectionAgeStandard
        self.threads = threads
        tls = TLSFiles()
    }

    /// Reads a service's flags and variables. Touches nothing outside its arguments.
    ///
    /// - Throws: what can't be used, in one line that names the flag or variable.
    public init(_ options: ServiceOptions, environment: [String: String]) throws(ConfigurationError) {
        let settings = Settings(environment: environment)
        let address = try settings.address(options.serverAddress, "server_address", "MICRO_SERVER_ADDRESS")
        try self.init(options.common, settings, address: address ?? HostPort(host: "", port: 8080))
        storeTimeout = try settings.duration(options.storeTimeout, "store_timeout", "STORE_TIMEOUT")
        connectionAgeMax = try settings.durationOrNone(
            options.maxConnectionAge, "max_connection_age", "MAX_CONNECTION_AGE", default: Self.connectionAgeStandard)
    }

    /// Reads the flags and variables that every program has.
    ///
    /// - Throws: what can't be used, in one line that names the flag or variable.
    public init(_ options: CommonOptions, _ settings: Settings, address: HostPort) throws(ConfigurationError) {
        if let (selector, source) = settings.text(options.selector, "selector", "MICRO_SELECTOR"),
            selector != "static"
        {
            throw ConfigurationError(
                "\(source): '\(selector)' is not a selector; the only one is static (a service's name is its DNS name)")
        }
        let admin = try settings.address(options.adminAddress, "admin_address", "ADMIN_ADDRESS")
        self.init(address: address, adminAddress: admin ?? HostPort(host: "", port: 9090))
        logLevel = try settings.level(options.logLevel, "log_level", "LOG_LEVEL") ?? .info
        callLog = try settings.callLog(options.logCalls) ?? .sampled
        drainTimeout = try settings.duration(options.drainTimeout, "drain_timeout", "DRAIN_TIMEOUT") ?? .seconds(20)
        connectWait =
            try settings.duration(options.connectWait, "connect_wait", "CONNECT_WAIT") ?? Self.connectWaitStandard
        threads =
            try settings.integer(options.threads, "threads", "THREADS", in: Self.threadsRange)
            ?? min(System.coreCount, Self.threadsRange.upperBound)
        memoryLimitBytes = try settings.bytes(
            options.memoryLimit, "memory_limit", "MEMORY_LIMIT", min: MemoryBudget.limitBytesMin)
        overloadControl = try settings.toggle(options.overloadControl, "overload_control", "OVERLOAD_CONTROL") ?? true
        tls = try TLSFiles(
            certificate: settings.text(options.tlsCertificate, "tls_cert", "TLS_CERT")?.text,
            key: settings.text(options.tlsKey, "tls_key", "TLS_KEY")?.text,
            authorities: settings.text(options.tlsAuthorities, "tls_ca", "TLS_CA")?.text)
    }
}
