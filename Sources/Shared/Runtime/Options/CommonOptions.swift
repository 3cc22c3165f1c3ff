import ArgumentParser

/// Flags that every program takes. They are text here; ``ServiceConfiguration`` checks them, so that a flag and its
/// variable are read by the same code and complained about in the same words.
public struct CommonOptions: ParsableArguments, Sendable {
    @Option(
        name: .customLong("selector"),
        help: ArgumentHelp(
            "How other services are found; only static: the name is the DNS name, port 8080. [MICRO_SELECTOR]",
            valueName: "name"))
    public var selector: String?

    @Option(
        name: .customLong("admin_address"),
        help: ArgumentHelp(
            "Where /healthz, /readyz and /metrics are served. [ADMIN_ADDRESS] (default: :9090)", valueName: "host:port")
    )
    public var adminAddress: String?

    @Option(
        name: .customLong("log_level"),
        help: ArgumentHelp(
            "trace, debug, info, notice, warning, error or critical. [LOG_LEVEL] (default: info)", valueName: "level"))
    public var logLevel: String?

    @Option(
        name: .customLong("log_calls"),
        help: ArgumentHelp(
            "Which calls get a line in the log: sampled, all or none. [LOG_CALLS] (default: sampled)",
            valueName: "which"))
    public var logCalls: String?

    @Option(
        name: .customLong("drain_timeout"),
        help: ArgumentHelp(
            "How long calls in flight may go on after SIGTERM. [DRAIN_TIMEOUT] (default: 20)", valueName: "seconds"))
    public var drainTimeout: String?

    @Option(
        name: .customLong("connect_wait"),
        help: ArgumentHelp(
            "How long a call of a service that has no connection at the moment waits for one. [CONNECT_WAIT] (default: 2)",
            valueName: "seconds"))
    public var connectWait: String?

    @Option(
        name: .customLong("threads"),
        help: ArgumentHelp("Event-loop threads. [THREADS] (default: one per processor)", valueName: "count"))
    public var threads: String?

    @Option(
        name: .customLong("tls_cert"),
        help: ArgumentHelp("Certificate chain to serve with TLS. [TLS_CERT]", valueName: "pem"))
    public var tlsCertificate: String?

    @Option(
        name: .customLong("tls_key"),
        help: ArgumentHelp("Private key of the certificate. [TLS_KEY]", valueName: "pem"))
    public var tlsKey: String?

    @Option(
        name: .customLong("tls_ca"),
        help: ArgumentHelp("Authorities of the services we call; makes our calls use TLS. [TLS_CA]", valueName: "pem"))
    public var tlsAuthorities: String?

    @Option(
        name: .customLong("memory_limit"),
        help: ArgumentHelp(
            """
            What the process may use; bounds what it holds for its callers. [MEMORY_LIMIT] (default: the container's limit, \
            else 256Mi)
            """, valueName: "bytes"))
    public var memoryLimit: String?

    @Option(
        name: .customLong("overload_control"),
        help: ArgumentHelp(
            "on, or off: no call is refused, however many there are. [OVERLOAD_CONTROL] (default: on)",
            valueName: "switch"))
    public var overloadControl: String?

    @Flag(
        name: .customLong("healthcheck"),
        help: "Ask the program that runs here with the same settings whether it is ready: ends with status 0 or 1.")
    public var asksHealth = false

    public init() {}
}

/// A set of flags that a program's configuration can be made from.
public protocol ProgramOptions: ParsableArguments, Sendable {
    /// The flags that every program takes.
    var common: CommonOptions { get }

    /// Checks flags and variables. Pure: reads nothing but its arguments.
    func configuration(environment: [String: String]) throws(ConfigurationError) -> ServiceConfiguration
}
