import RPC
import Storage
import Synchronization

/// Makes a store on connection pools, which connects by itself in the background, into one that a program waits for.
public final class PooledStore: StoreLifecycle {
    private let store: any Store
    public let storeAddress: String
    private let isStarted = Atomic(false)

    /// How often a store that connects is looked at.
    private static let lookInterval: Duration = .milliseconds(20)
    /// How long one try waits before it reports what it waits for.
    private static let tryTimeout: Duration = .seconds(1)

    /// - Parameter address: for logs; without user, password or options.
    public init(_ store: any Store, address: String) {
        self.store = store
        storeAddress = address
    }

    public func open() async throws {
        // Every try after the first only waits on: the pool's threads connect again by themselves.
        let isFirst = isStarted.exchange(true, ordering: .relaxed) == false
        if isFirst { try store.start() }
        let deadline = Deadline.after(Self.tryTimeout)
        while !store.isReady {
            if let failure = store.permanentFailure {
                throw StorePermanentFailure(failure.message, hasGracePeriod: failure.kind == .accessDenied)
            }
            if deadline.isExpired { throw StoreUnreachable(reason: store.lastError ?? "no answer yet") }
            try await Task.sleep(for: Self.lookInterval)
        }
    }

    public func check() async -> String? {
        store.isReady ? nil : store.lastError ?? "no connection"
    }

    public func close() async {
        await store.shutdown()
    }
}

private struct StoreUnreachable: Error, CustomStringConvertible {
    let reason: String
    var description: String { reason }
}

extension ServiceRuntime {
    /// Gauges of every pool of `store`: `pool_threads`, `pool_connected`, `pool_queued`, `pool_running`,
    /// `pool_queue_capacity`, `pool_expected_wait_seconds`, the counter `pool_refusals_total` and the histogram
    /// `pool_wait_seconds`, each with the label `pool`.
    public func watchPools(of store: any Store) {
        let gauges: [(name: String, help: String, read: @Sendable (PoolStatistics) -> Int)] = [
            ("pool_threads", "Threads that each own a connection.", { $0.threads }),
            ("pool_connected", "Connections that are up.", { $0.connected }),
            ("pool_queued", "Calls that wait for a thread.", { $0.queued }),
            ("pool_running", "Calls that a thread works on.", { $0.running }),
            ("pool_queue_capacity", "Calls that may wait before more are shed.", { $0.queueCapacity }),
        ]
        let waits = "pool_wait_seconds"
        metrics.collect(waits) { snapshot in
            snapshot.family(waits, .histogram, help: "How long calls waited for a thread.")
            for pool in store.statistics {
                snapshot.histogram(
                    Labels([("pool", pool.name)]), bounds: WaitCounts.boundsNanoseconds.map { Double($0) / 1e9 },
                    counts: pool.waits.counts, sum: Double(pool.waits.nanoseconds) / 1e9)
            }
        }
        for pool in store.statistics.map(\.name) {
            let read = { @Sendable in store.statistics.first { $0.name == pool } }
            metrics.gauge(
                "pool_expected_wait_seconds", "How long one more call would wait for a thread.",
                labels: [("pool", pool)]
            ) { read().map { $0.expectedWait / .seconds(1) } ?? .nan }
            metrics.counter(
                "pool_refusals_total", "Calls shed as too many waited, or as they had waited for too long.",
                labels: [("pool", pool)]
            ) { Double(read()?.shed ?? 0) }
            for gauge in gauges {
                metrics.gauge(gauge.name, gauge.help, labels: [("pool", pool)]) {
                    store.statistics.first { $0.name == pool }.map { Double(gauge.read($0)) } ?? .nan
                }
            }
        }
    }
}
