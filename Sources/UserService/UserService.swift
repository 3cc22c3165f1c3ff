import ArgumentParser
import LeasedQueue
import Logging
import RPC
import Runtime

/// Keeps people and their passwords, gives them tokens, and tells the mail service of who is new.
@main
struct UserService: ServiceProgram {
    static let configuration = CommandConfiguration(
        commandName: "shippy-user-service", abstract: "The users: user.UserService over gRPC.")
    static let serviceName = "user"

    /// How long to ask the store for at the start.
    private static let prepareTimeout: Duration = .seconds(10)

    @OptionGroup var options: ServiceOptions

    @Flag(
        name: .customLong("requeue_dead_events"),
        help: "Deliver dead-lettered events again, from the first try. [REQUEUE_DEAD_EVENTS=true]")
    var requeuesDeadEvents = false

    func build(_ runtime: ServiceRuntime) async throws -> ServiceParts {
        let logger = runtime.logger
        let users: UserDatabase
        do {
            users = try UserDatabase(variable: runtime.settings.variable, logger: logger)
        } catch {
            throw ConfigurationError("DB_HOST: \(error.message)")
        }
        let secrets = try TokenSecrets(runtime.settings, embeddedStore: users.embeddedPath)
        let operators = try Operators(variable: runtime.settings.variable("OPERATORS"))
        let requeues = try runtime.settings.boolean(requeuesDeadEvents, "REQUEUE_DEAD_EVENTS")

        let clock = UserClock.system
        let passwords = PasswordCheck(
            hasher: PasswordHasher(logger: logger), throttle: LoginThrottle(), logger: logger)
        var handlers = UserHandlers(
            repository: users.repository,
            tokens: Tokens(secrets, operators: operators, nowSeconds: clock.seconds),
            passwords: passwords, clock: clock)
        if try runtime.isAuthenticationDisabled() { handlers.needsToken = false }

        let delivery = EventDelivery(to: try runtime.client(of: "email"), tracer: runtime.tracer)
        let relay = QueueWorker(
            users.outbox, Relay(delivery, logger: logger), names: ("an event", "events"), policy: Relay.policy,
            logger: logger)
        let pending = PendingWatch(users.outbox, logger: logger)
        OutboxMetrics.register(relay.counts, pending, in: runtime.metrics)
        passwords.register(in: runtime.metrics)

        let store = CombinedStore(stores: [users.store, passwords.hasher.pool])
        runtime.watchPools(of: store)
        return ServiceParts(
            front: runtime.rpcServer(handlers.routes()),
            store: PooledStore(store, address: users.description),
            background: [relay, pending],
            prepare: { if requeues { try await Self.requeue(users.outbox, logger: logger) } })
    }

    private static func requeue(_ outbox: any Outbox, logger: Logger) async throws {
        let count = try await outbox.requeueDeadLetters(deadline: .after(prepareTimeout))
        logger.notice("dead-lettered events are delivered again", metadata: ["count": "\(count)"])
    }
}
