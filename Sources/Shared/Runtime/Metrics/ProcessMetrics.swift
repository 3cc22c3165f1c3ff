import Glibc
import RPC

/// The figures of this process that every Prometheus client library gives, read at each scrape.
enum ProcessMetrics {
    static func register(in registry: MetricsRegistry) {
        let startSeconds = Double(Timestamp.now().milliseconds) / 1_000
        registry.gauge("process_start_time_seconds", "When the process started, as Unix time.") { startSeconds }
        registry.counter("process_cpu_seconds_total", "Processor time, user and system.") { cpuSeconds() }
        registry.gauge("process_max_fds", "File descriptors that may be open.") { Double(ProcessLimits.openFiles()) }
        registry.gauge("process_resident_memory_bytes", "Memory that is resident.") { residentBytes() ?? .nan }
        registry.gauge("process_virtual_memory_bytes", "Memory that is mapped.") { virtualBytes() ?? .nan }
        registry.gauge("process_threads", "Threads.") { threads() ?? .nan }
        let limit = MemoryLimit.ofContainer().map(Double.init) ?? .infinity
        registry.gauge("process_memory_limit_bytes", "Memory that the container may use; +Inf without a limit.") {
            limit
        }
        registry.gauge("process_open_fds", "File descriptors that are open.") { openDescriptors() ?? .nan }
    }

    static func cpuSeconds() -> Double {
        var time = timespec()
        guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return .nan }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The second number in `/proc/self/statm`.
    static func residentBytes() -> Double? { memoryBytes(field: 1) }

    /// The first number in `/proc/self/statm`.
    static func virtualBytes() -> Double? { memoryBytes(field: 0) }

    /// A number in `/proc/self/statm`, which counts pages.
    private static func memoryBytes(field: Int) -> Double? {
        guard let text = SmallFile.text("/proc/self/statm") else { return nil }
        let fields = text.split(separator: " ")
        guard fields.indices.contains(field), let pages = Double(fields[field]) else { return nil }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// The entries of `/proc/self/task`.
    static func threads() -> Double? { entries("/proc/self/task") }

    /// The entries of `/proc/self/fd`, without the one that reading it opens.
    static func openDescriptors() -> Double? { entries("/proc/self/fd").map { $0 - 1 } }

    private static func entries(_ path: String) -> Double? {
        guard let directory = opendir(path) else { return nil }
        defer { closedir(directory) }
        var count = 0
        while let entry = readdir(directory) {
            if entry.pointee.d_name.0 != CChar(bitPattern: UInt8(ascii: ".")) { count += 1 }
        }
        return Double(count)
    }
}

/// Which program this is, as a metric whose labels say it: a series to join others with.
enum BuildInfo {
    /// - Parameters:
    ///   - service: the program, such as `vessel`.
    ///   - settings: images say their version in `SHIPPY_VERSION`.
    static func register(in registry: MetricsRegistry, service: String, settings: Settings) {
        registry.gauge(
            "shippy_build_info", "1; its labels are the program and its version.",
            labels: [("service", service), ("version", settings.variable("SHIPPY_VERSION") ?? "unknown")]
        ) { 1 }
    }
}

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
