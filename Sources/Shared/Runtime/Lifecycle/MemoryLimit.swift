/// Memory limit of the process's container (cgroups(7)).
enum MemoryLimit {
    /// The limit in bytes; `nil` when there is none. The smallest limit of the process's control group and its
    /// ancestors counts.
    static func ofContainer(root: String = "/sys/fs/cgroup", groups: String = "/proc/self/cgroup") -> Int? {
        var least: Int?
        for line in (SmallFile.text(groups) ?? "").split(separator: "\n") {
            // number:controllers:path
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            if parts[0] == "0", parts[1].isEmpty {
                least = min(least, walk(root, parts[2], "memory.max"))
            } else if parts[1].split(separator: ",").contains("memory") {
                least = min(least, walk("\(root)/memory", parts[2], "memory.limit_in_bytes"))
            }
        }
        // Inside a container the path may be one of the host's, which is not visible here; then the root is the
        // process's group.
        return min(
            least,
            min(
                limit("\(root)/memory.max"), limit("\(root)/memory/memory.limit_in_bytes")))
    }

    private static func walk(_ root: String, _ path: Substring, _ name: String) -> Int? {
        var least: Int?
        var parts = path.split(separator: "/")
        while true {
            let folder = parts.isEmpty ? root : "\(root)/\(parts.joined(separator: "/"))"
            least = min(least, limit("\(folder)/\(name)"))
            if parts.popLast() == nil { return least }
        }
    }

    private static func min(_ left: Int?, _ right: Int?) -> Int? {
        guard let left, let right else { return left ?? right }
        return Swift.min(left, right)
    }

    /// `nil` for a missing file, for `max`, and for the number that version 1 uses for no limit.
    private static func limit(_ path: String) -> Int? {
        guard let text = SmallFile.text(path), let bytes = Int(text.prefix { $0.isNumber }), bytes > 0, bytes < 1 << 60
        else { return nil }
        return bytes
    }
}
