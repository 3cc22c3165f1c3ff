import Glibc

/// Where and when a run happened.
enum Machine {
    /// Processors, their model, and the system.
    static var description: String {
        let count = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        let model = SmallFile.read("/proc/cpuinfo")?.split(separator: "\n").first { $0.hasPrefix("model name") }
            .flatMap { $0.split(separator: ":").last }.map { String($0.drop { $0 == " " }) }
        let system = SmallFile.read("/proc/sys/kernel/osrelease").map { "Linux " + $0.trimmedEnd }
        return ["\(count) processors", model, system].compactMap { $0 }.joined(separator: ", ")
    }

    /// Now, as `2026-01-31T12:00:00Z`.
    static var date: String {
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + "\(number)" }
        return "\(parts.tm_year + 1_900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
            + "T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
    }
}
