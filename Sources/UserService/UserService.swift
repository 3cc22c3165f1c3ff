import LeasedQueue
import Logging
import RPC
import Runtime

/// Keeps people and their passwords, gives them tokens, and tells the mail service of who is new.
@main
struct UserService: ServiceProgram {
    static let commandName = "shippy-user-service"
    static let abstract = "The users: user.UserService over gRPC."
    static let serviceName = "user"
    static let ownSettings: [Setting<UserService>] = [
        .described(["DB_NAME"], otherwise: "`shippy`", "database, if the URI in `DB_HOST` does not set it"),
        .described(["DB_USER"], otherwise: "`shippy`", "user of the database, if the URI does not set it"),
        .described(
            ["DB_PASSWORD", "DB_PASS"], otherwise: "none",
            "password of that user, if the URI does not set it; the first one that is set counts"),
        Setting(
            variable: "OPERATORS", .text, otherwise: "none",
            "ids of the users who are operators, comma-separated; applies to tokens made from then on"
        ) { $0.operators = $1 },
        Setting(
            variable: "JWT_SECRET", .text,
            "signs tokens; at least 32 bytes. On SQLite one is made and kept beside the data"
        ) { $0.secret = $1 },
        Setting(
            variable: "JWT_SECRET_PREVIOUS", .text,
            "tokens signed with it stay valid, for a change of `JWT_SECRET`"
        ) { $0.previousSecret = $1 },
        .toggle(
            flag: "requeue_dead_events", variable: "REQUEUE_DEAD_EVENTS", "deliver dead-lettered events again"
        ) { $0.requeuesDeadEvents = true },
        .disableAuth,
    ]

    /// How long to ask the store for at the start.
    private static let prepareTimeout: Duration = .seconds(10)

    var configuration = ServiceConfiguration()
    var operators: String?
    var secret: String?
    var previousSecret: String?
    var requeuesDeadEvents = false

    func build(_ runtime: ServiceRuntime) async throws -> ServiceParts {
        let logger = runtime.logger
        let users: UserDatabase
        do {
            users = try UserDatabase(variable: runtime.settings.variable, logger: logger)
        } catch {
            throw ConfigurationError("DB_HOST: \(error.message)")
        }
        let secrets = try TokenSecrets(secret, previous: previousSecret, embeddedStore: users.embeddedPath)
        let operators = try Operators(variable: operators)

        let clock = UserClock.system
        let passwords = PasswordCheck(
            hasher: PasswordHasher(logger: logger), throttle: LoginThrottle(), logger: logger)
        var handlers = UserHandlers(
            repository: users.repository,
            tokens: Tokens(secrets, operators: operators, nowSeconds: clock.seconds),
            passwords: passwords, clock: clock)
        if runtime.isAuthenticationDisabled() { handlers.needsToken = false }

        let delivery = EventDelivery(to: try runtime.client(of: "email"), tracer: runtime.tracer)
        let relay = QueueWorker(
            users.outbox, Relay(delivery, logger: logger), names: ("an event", "events"), policy: Relay.policy,
            logger: logger)
        let pending = PendingWatch(users.outbox, logger: logger)
        OutboxMetrics.register(relay.counts, pending, in: runtime.metrics)
        passwords.register(in: runtime.metrics)

        // The last one stops first. A hash that nobody waits for any more may take seconds, and closing has three.
        let store = UserStores(parts: [passwords.hasher.pool, users.store])
        return ServiceParts(
            front: runtime.rpcServer(handlers.routes()),
            store: store, storeAddress: users.description,
            background: [relay, pending],
            prepare: { if requeuesDeadEvents { try await Self.requeue(users.outbox, logger: logger) } })
    }

    private static func requeue(_ outbox: any Outbox, logger: Logger) async throws {
        let count = try await outbox.requeueDeadLetters(deadline: .after(prepareTimeout))
        logger.notice("dead-lettered events are delivered again", metadata: ["count": "\(count)"])
    }
}
