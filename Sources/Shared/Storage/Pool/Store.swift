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

/// Several stores that start, serve and stop as one; ready when all are.
public protocol CombinedStore: Store {
    /// In the order of their start; the last stops first.
    var parts: [any Store] { get }
}

extension CombinedStore {
    public func start() throws {
        for part in parts { try part.start() }
    }

    public func shutdown() async {
        for part in parts.reversed() { await part.shutdown() }
    }

    public var isReady: Bool { parts.allSatisfy(\.isReady) }

    public var lastError: String? { parts.lazy.compactMap(\.lastError).first }

    public var permanentFailure: StorageError? { parts.lazy.compactMap(\.permanentFailure).first }

    public var statistics: [PoolStatistics] { parts.flatMap(\.statistics) }
}
