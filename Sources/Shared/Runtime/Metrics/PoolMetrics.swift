import Storage

/// Metrics of a store's pools, each series with the label `pool`.
enum PoolMetrics {
    private static let gauges: [(name: String, help: String, read: @Sendable (PoolStatistics) -> Double)] = [
        ("pool_threads", "Threads that each own a connection.", { Double($0.threads) }),
        ("pool_connected", "Connections that are up.", { Double($0.connected) }),
        ("pool_queued", "Calls that wait for a thread.", { Double($0.queued) }),
        ("pool_running", "Calls that a thread works on.", { Double($0.running) }),
        ("pool_queue_capacity", "Calls that may wait before more are shed.", { Double($0.queueCapacity) }),
        (
            "pool_expected_wait_seconds", "How long one more call would wait for a thread.",
            { $0.expectedWait / Duration.seconds(1) }
        ),
    ]

    static func register(_ store: any Store, in registry: MetricsRegistry) {
        let waits = "pool_wait_seconds"
        registry.collect(waits) { snapshot in
            snapshot.family(waits, .histogram, help: "How long calls waited for a thread.")
            for pool in store.statistics {
                snapshot.histogram(
                    Labels([("pool", pool.name)]), bounds: WaitCounts.boundsNanoseconds.map { Double($0) / 1e9 },
                    counts: pool.waits.counts, sum: Double(pool.waits.nanoseconds) / 1e9)
            }
        }
        for pool in store.statistics.map(\.name) {
            let labels = [("pool", pool)]
            let read = { @Sendable in store.statistics.first { $0.name == pool } }
            for gauge in gauges {
                registry.gauge(gauge.name, gauge.help, labels: labels) { read().map { gauge.read($0) } ?? .nan }
            }
            registry.counter(
                "pool_refusals_total", "Calls shed as too many waited, or as they had waited for too long.",
                labels: labels
            ) { Double(read()?.shed ?? 0) }
        }
    }
}
