/// A store as the runtime sees it, whatever is behind: something to start, to wait for, to watch and to stop.
public protocol Store: Sendable {
    /// Starts the threads, which connect and keep connecting. Returns at once.
    ///
    /// - Throws: ``StorageError`` when the system has no threads left.
    func start() throws

    /// Finishes the calls that wait, rejects new ones, closes the connections and joins the threads.
    func shutdown() async

    /// Whether calls can be answered now.
    var isReady: Bool { get }

    /// Why the store is not ready, without secrets; `nil` when nothing failed yet.
    var lastError: String? { get }

    /// Set when the store answers and can't be used: of kind `.accessDenied` where that may change without us, such as
    /// wrong credentials, else `.unusable`.
    var permanentFailure: StorageError? { get }

    /// The gauges of each pool.
    var statistics: [PoolStatistics] { get }
}

extension ConnectionPool: Store {
    public var statistics: [PoolStatistics] { [gauges] }
}
