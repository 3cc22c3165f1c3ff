import Logging
import RPC
import Storage

/// A MongoDB database behind threads that own a client each.
public final class MongoStore: CombinedStore {
    /// Calls that a server of ours has in flight there at the same time.
    public static let threadCountDefault = 8
    /// How soon an idle service notices that its database has gone.
    private static let pingInterval: Duration = .seconds(5)

    private let pool: ConnectionPool<MongoConnection>

    /// Connects to nothing yet.
    ///
    /// - Parameters:
    ///   - name: names threads, gauges and, towards the server, this program.
    ///   - prepare: makes indexes and whatever else must be there before the first call. It runs on a pool thread after
    ///     connecting, until it succeeded once; it may run more than once, also at the same time.
    /// - Throws: ``StorageError`` of kind `.configuration`.
    public init(
        _ address: MongoAddress, name: String, threads: Int = MongoStore.threadCountDefault, logger: Logger,
        prepare: @escaping @Sendable (MongoConnection) throws -> Void
    ) throws(StorageError) {
        let clients = try MongoClientPool(address, clients: threads, application: name)
        let database = address.database
        let isPrepared = Monitor(false)
        var configuration = PoolConfiguration(name: name, threads: threads)
        configuration.pingInterval = Self.pingInterval
        configuration.waitMax = PoolConfiguration.waitMaxOfStores
        pool = ConnectionPool(configuration, logger: logger) {
            let connection = try MongoConnection(clients, database: database)
            if !isPrepared.withLock({ $0 }) {
                try prepare(connection)
                isPrepared.withLock { $0 = true }
            }
            return connection
        }
    }

    /// Runs `body` on a pool thread with its connection.
    ///
    /// - Throws: what `body` and ``ConnectionPool/run(deadline:_:)`` throw.
    public func run<Value: Sendable>(
        deadline: Deadline, _ body: @escaping @Sendable (MongoConnection) throws -> Value
    ) async throws -> Value {
        try await pool.run(deadline: deadline, body)
    }

    public var parts: [any Store] { [pool] }
}
