import CPlatform
import Glibc

/// What a server changes about its process before it starts.
public enum ProcessLimits {
    /// Enough for every connection that a server allows; more would only make closing them at exec slow.
    static let openFilesMax: UInt = 65_536

    private static let openFilesResource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

    /// Writing to a connection that the peer closed must be an error, not the end of the process.
    static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }

    /// Raises the soft limit on open files to the hard one, at most to ``openFilesMax``. Never lowers it; a refusal
    /// leaves things as they were.
    static func raiseOpenFiles() {
        var limit = rlimit()
        guard getrlimit(openFilesResource, &limit) == 0 else { return }
        let wanted = min(limit.rlim_max, rlim_t(openFilesMax))
        guard wanted > limit.rlim_cur else { return }
        limit.rlim_cur = wanted
        setrlimit(openFilesResource, &limit)
    }

    /// The soft limit on open files.
    static func openFiles() -> UInt {
        var limit = rlimit()
        guard getrlimit(openFilesResource, &limit) == 0 else { return 0 }
        return UInt(limit.rlim_cur)
    }

    /// File descriptors reserved for the server's own work: its store, other services, event loops, logs.
    static let descriptorsReserved = 64

    /// Number of connections to accept: `wanted`, or fewer when the limit on open files would not leave enough for the
    /// rest.
    public static func connections(_ wanted: Int) -> Int {
        let open = openFiles()
        guard open > 0 else { return wanted }
        return min(wanted, max(Int(clamping: open) - descriptorsReserved, 1))
    }

    /// Large blocks, such as the bodies of requests, go back to the system when they are freed.
    ///
    /// Left to itself glibc raises the size from which it does so with each such block that it sees, up to 32 MiB, and
    /// keeps what one busy moment took for good (mallopt(3), M_MMAP_THRESHOLD).
    static func returnLargeBlocks() {
        shippy_malloc_map_from(largeBlockBytes)
    }

    private static let largeBlockBytes: Int32 = 256 * 1024

    /// Gives back the code that only the start ran: flags, schemas, the search for conformances. The system maps 16
    /// pages around each that is touched and counts them to the process, a dozen MiB in all, until memory is short.
    static func returnStartPages() {
        shippy_return_program_pages()
    }
}

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
