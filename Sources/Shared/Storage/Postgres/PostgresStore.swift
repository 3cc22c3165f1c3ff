import Logging
import RPC
import Storage

/// A PostgreSQL database behind threads that own a connection each.
public final class PostgresStore: Store {
    /// Calls that a server of ours has in flight there at the same time.
    public static let threadCountDefault = 8
    /// How soon an idle service notices that its database has gone.
    private static let pingInterval: Duration = .seconds(5)
    /// How long a call without a deadline may take.
    private static let callTimeMax: Duration = .seconds(60)

    private let pool: ConnectionPool<PostgresConnection>
    private let listener: PostgresListener?

    /// Connects to nothing yet.
    ///
    /// - Parameters:
    ///   - name: names threads, gauges, the schema, and, towards the server, this program.
    ///   - migrations: the schema, step by step; run on a pool thread before the first call.
    ///   - channel: what ``waitForNotification(timeout:)`` listens to, on a connection of its own; `nil` for none.
    public init(
        _ address: PostgresAddress, name: String, threads: Int = PostgresStore.threadCountDefault,
        migrations: [PostgresMigration] = [], channel: String? = nil, logger: Logger
    ) {
        let application = "shippy-\(name)"
        let migrator = PostgresMigrator(store: name, migrations: migrations)
        let isPrepared = Monitor(false)
        var configuration = PoolConfiguration(name: name, threads: threads)
        configuration.pingInterval = Self.pingInterval
        configuration.waitMax = PoolConfiguration.waitMaxOfStores
        pool = ConnectionPool(configuration, logger: logger) {
            let connection = try PostgresConnection(address, application: application)
            if !isPrepared.withLock({ $0 }) {
                try migrator.run(on: connection)
                isPrepared.withLock { $0 = true }
            }
            return connection
        }
        listener = channel.map {
            PostgresListener(address, channel: $0, name: "\(name)-listen", application: application, logger: logger)
        }
    }

    /// Runs `body` on a pool thread with its connection. Each statement is a transaction of its own.
    ///
    /// - Throws: what `body` and ``ConnectionPool/run(deadline:_:)`` throw; ``StorageError`` of kind `.timeout` when the
    ///   server did not answer before `deadline`.
    @discardableResult
    public func run<Value: Sendable>(
        deadline: Deadline, _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws -> Value {
        try await pool.run(deadline: deadline) { connection in
            try connection.call(until: min(deadline, .after(Self.callTimeMax)), body)
        }
    }

    /// Runs `body` on a pool thread as one transaction: when it throws, it has changed nothing.
    ///
    /// - Parameter body: run again, from the beginning, when the server took the transaction back because of others; so
    ///   it must do nothing but run statements.
    /// - Throws: as ``run(deadline:_:)``; ``StorageError`` of kind `.busy` when others stood in the way too often. After a
    ///   lost connection or a timeout, whether the transaction was committed is unknown.
    @discardableResult
    public func transaction<Value: Sendable>(
        deadline: Deadline, _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws -> Value {
        try await run(deadline: deadline) { try $0.transaction(body) }
    }

    /// Waits for a NOTIFY on the store's channel, by whatever process.
    ///
    /// One that came since the last wait ends it at once; it may also end early without any. One that is sent while
    /// the connection is lost is missed, so look for work now and then all the same.
    ///
    /// - Throws: `CancellationError`; ``StorageError`` while there is no connection.
    public func waitForNotification(timeout: Duration) async throws {
        try await listener?.wait(timeout: timeout)
    }

    public func start() throws {
        try pool.start()
        try listener?.start()
    }

    public func shutdown() async {
        await listener?.shutdown()
        await pool.shutdown()
    }

    public var isReady: Bool { pool.isReady }

    public var lastError: String? { pool.lastError }

    public var permanentFailure: StorageError? { pool.permanentFailure }

    public var statistics: [PoolStatistics] { pool.statistics + (listener?.statistics ?? []) }
}
