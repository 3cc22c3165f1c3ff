import Logging
import RPC
import Storage

/// A connection that hears of notifications, on a thread of its own.
///
/// It listens from the moment at which it is connected, so nothing is missed between two waits.
final class PostgresListener: Sendable {
    /// How long the thread waits before it looks whether it shall stop: what a shutdown may have to wait for.
    private static let sliceMax: Duration = .milliseconds(500)
    /// How long a wait may stay in the queue: behind another wait, or for the connection.
    private static let queueTimeMax: Duration = .seconds(5)
    private static let queueCapacity = 64

    private let pool: ConnectionPool<PostgresConnection>

    init(_ address: PostgresAddress, channel: String, name: String, application: String, logger: Logger) {
        var configuration = PoolConfiguration(name: name, threads: 1)
        configuration.queueCapacity = Self.queueCapacity
        configuration.pingInterval = .seconds(5)
        pool = ConnectionPool(configuration, logger: logger) {
            let connection = try PostgresConnection(address, application: application)
            try connection.listen(channel)
            return connection
        }
    }

    func start() throws { try pool.start() }

    func shutdown() async { await pool.shutdown() }

    var statistics: [PoolStatistics] { pool.statistics }

    /// - Throws: `CancellationError`; ``StorageError`` while there is no connection.
    func wait(timeout: Duration) async throws {
        let end = Deadline.after(timeout)
        while !end.isExpired {
            let isFound = try await pool.run(deadline: .after(Self.queueTimeMax)) { connection in
                try connection.waitForNotification(until: min(end, .after(Self.sliceMax)))
            }
            if isFound { return }
        }
    }
}
