import Storage

/// Several stores that start, serve and stop as one; ready when all are.
struct CombinedStore: Store {
    let stores: [any Store]

    func start() throws {
        for store in stores { try store.start() }
    }

    func shutdown() async {
        for store in stores { await store.shutdown() }
    }

    var isReady: Bool { stores.allSatisfy(\.isReady) }
    var lastError: String? { stores.lazy.compactMap(\.lastError).first }
    var refusal: StorageError? { stores.lazy.compactMap(\.refusal).first }
    var statistics: [PoolStatistics] { stores.flatMap(\.statistics) }
}
