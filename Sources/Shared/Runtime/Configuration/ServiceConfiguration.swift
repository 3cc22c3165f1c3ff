import Contracts
import Logging
import NIOCore
import RPC

/// What every program needs to know to start and stop.
///
/// ``ServiceProgram/sharedSettings`` says what each is set by. The initial values are the defaults there.
public struct ServiceConfiguration: Sendable, Equatable {
    /// Where it takes calls.
    public var address = HostPort(host: "", port: 8080)
    /// Where `/healthz`, `/readyz` and `/metrics` are served over HTTP.
    public var adminAddress = HostPort(host: "", port: 9090)
    public var logLevel = Logger.Level.info
    /// Which calls get a line in the log.
    public var callLog = CallLogMode.sampled
    /// How long calls in flight may go on after SIGTERM.
    public var drainTimeout: Duration = .seconds(20)
    /// How long a call to another service waits for a connection when there is none.
    public var connectWait: Duration = .seconds(2)
    /// `DB_HOST`; `nil` where it is not set.
    public var storeAddress: String?
    /// How long to wait for a store that can't be reached; `nil` waits for ever.
    public var storeTimeout: Duration?
    /// How long a store may deny access, such as for wrong credentials, before the program ends; never longer than
    /// ``storeTimeout``. No flag sets it.
    public var storeFailureGrace: Duration = .seconds(60)
    /// Age at which a caller has to replace its connection; `nil` for none.
    public var connectionAgeMax: Duration? = .seconds(300)
    /// Event-loop threads.
    public var threads = min(System.coreCount, ServiceConfiguration.threadsRange.upperBound)
    public var tls = TLSFiles()
    /// Memory that the process may use, in bytes; `nil` takes the container's limit, or 256 MiB when there is none.
    public var memoryLimitBytes: Int?
    /// Whether calls are shed when there are too many.
    public var overloadControl = true
    /// Whether tokens are not checked, and every caller has all rights.
    public var isAuthenticationDisabled = false
    /// Whether the program asks the one that runs here whether it is ready, in place of running itself.
    public var asksHealth = false

    /// The number of event-loop threads that can be asked for.
    public static let threadsRange = 1...256

    /// The defaults.
    public init() {}

    /// For tests: nothing is read from outside.
    public init(address: HostPort, adminAddress: HostPort, threads: Int = 1) {
        self.address = address
        self.adminAddress = adminAddress
        self.threads = threads
    }
}

extension ServiceProgram {
    /// The settings of every program.
    public static var commonSettings: [Setting<Self>] {
        [
            Setting(
                flag: "admin_address", takes: "host:port", variable: "ADMIN_ADDRESS", .address, default: ":9090",
                "`/healthz`, `/readyz`, `/metrics` (Prometheus), `/log_level`"
            ) { $0.configuration.adminAddress = $1 },
            Setting(
                flag: "selector", takes: "name", variable: "MICRO_SELECTOR",
                .only(
                    "static",
                    complaint: "is not a selector; the only one is static (a service's name is its DNS name)"),
                default: "static", "service discovery; only `static`: the service's name is its DNS name, port 8080"
            ) { _, _ in },
            .described(
                ServiceNames.all.map { ServiceAddress.variable(of: $0) },
                "host:port of a service, overriding that rule"),
            Setting(
                flag: "drain_timeout", takes: "seconds", variable: "DRAIN_TIMEOUT", .duration, default: "20",
                "time for calls in flight to finish after SIGTERM"
            ) { $0.configuration.drainTimeout = $1 },
            Setting(
                flag: "memory_limit", takes: "bytes", variable: "MEMORY_LIMIT",
                .bytes(min: MemoryBudget.limitBytesMin), otherwise: "the container's limit, else `256Mi`",
                """
                memory that the process may use, such as `256Mi` or `1Gi`; bounds what it holds for its callers, who \
                get 429 beyond that
                """
            ) { $0.configuration.memoryLimitBytes = $1 },
            Setting(
                flag: "connect_wait", takes: "seconds", variable: "CONNECT_WAIT", .duration, default: "2",
                """
                how long a call waits, within its deadline, for a connection to a service that has none (while it \
                starts, restarts or rolls out)
                """
            ) { $0.configuration.connectWait = $1 },
            .toggle(
                flag: "healthcheck",
                """
                health check for containers, whose images hold no other program: asks the program that runs there with \
                the same settings whether it is ready, and exits with status 0 or 1
                """
            ) { $0.configuration.asksHealth = true },
            Setting(
                flag: "log_level", takes: "level", variable: "LOG_LEVEL", .logLevel, default: "info",
                "`trace` … `critical`; JSON lines when standard output is no terminal"
            ) { $0.configuration.logLevel = $1 },
            Setting(
                flag: "log_calls", takes: "which", variable: "LOG_CALLS", .callLog, default: "sampled",
                "which calls get a line in the log: `sampled`, `all` or `none`"
            ) { $0.configuration.callLog = $1 },
            Setting(
                flag: "threads", takes: "count", variable: "THREADS", .integer(ServiceConfiguration.threadsRange),
                otherwise: "one per processor", "event-loop threads"
            ) { $0.configuration.threads = $1 },
            Setting(
                flag: "overload_control", takes: "switch", variable: "OVERLOAD_CONTROL", .onOrOff, default: "on",
                """
                `on`, or `off`: the gateway sheds no load, and a service does not bound the calls that it runs at a \
                time
                """
            ) { $0.configuration.overloadControl = $1 },
            Setting(
                flag: "tls_cert", takes: "pem", variable: "TLS_CERT", .text, otherwise: "plaintext",
                "certificate chain to serve with TLS; needs the key"
            ) { $0.configuration.tls.certificate = $1 },
            Setting(
                flag: "tls_key", takes: "pem", variable: "TLS_KEY", .text, "private key of the certificate"
            ) { $0.configuration.tls.key = $1 },
            Setting(
                flag: "tls_ca", takes: "pem", variable: "TLS_CA", .text, otherwise: "plaintext",
                "CA certificates (PEM) that verify the services that are called; makes these calls use TLS"
            ) { $0.configuration.tls.authorities = $1 },
        ]
    }

    /// The settings of the gRPC services alone.
    public static var serviceSettings: [Setting<Self>] {
        [
            Setting(
                flag: "server_address", takes: "host:port", variable: "MICRO_SERVER_ADDRESS", .address,
                default: ":8080", "address that a service listens on"
            ) { $0.configuration.address = $1 },
            Setting(
                flag: "max_connection_age", takes: "seconds", variable: "MAX_CONNECTION_AGE", .durationOrNone,
                default: "300",
                """
                age at which a caller has to replace its connection, ±10 %, so that calls also reach new pods through \
                a load balancer of connections; calls in flight continue, for up to 60 s. `0`: no maximum
                """
            ) { $0.configuration.connectionAgeMax = $1 },
            Setting(
                variable: "DB_HOST", .text,
                otherwise: "`localhost:27017`, `localhost:5432`; in the image of email `mongo:27017`",
                """
                `mongo:27017` or a `mongodb://` URI; for user `postgres:5432` or a `postgresql://` URI; `sqlite:PATH`
                """
            ) { $0.configuration.storeAddress = $1 },
            Setting(
                flag: "store_timeout", takes: "seconds", variable: "STORE_TIMEOUT", .duration, otherwise: "for ever",
                "how long to wait for a store that can't be reached"
            ) { $0.configuration.storeTimeout = $1 },
        ]
    }
}

extension Setting where Target: ServiceProgram {
    /// `DISABLE_AUTH`, of a service that asks who its callers are.
    public static var disableAuth: Setting {
        .toggle(
            variable: "DISABLE_AUTH",
            """
            tokens are not checked, and every caller has an operator's rights; logged at the start as `critical`
            """
        ) { $0.configuration.isAuthenticationDisabled = true }
    }
}
