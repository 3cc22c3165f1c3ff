import RPC

/// Metrics of the memory budget, by kind: `requests`, `responses`, `elements` and `connections`.
enum MemoryMetrics {
    static func register(_ memory: MemoryBudget, in registry: MetricsRegistry) {
        for kind in MemoryBudget.Kind.allCases {
            let labels = [("kind", kind.rawValue)]
            registry.gauge(
                "memory_budget_used_bytes", "Bytes held for peers; small amounts are not counted.", labels: labels
            ) { Double(memory.usedBytes(kind)) }
            registry.gauge("memory_budget_limit_bytes", "Bytes that may be held for peers.", labels: labels) {
                Double(memory.bytesMax(kind))
            }
            registry.counter(
                "memory_budget_rejections_total", "Requests and answers rejected as there was no memory for them.",
                labels: labels
            ) { Double(memory.rejections(kind)) }
        }
    }
}
