import Glibc

/// How many files this process may have open: each connection is one.
enum OpenFiles {
    /// Beside the connections: the event loop, standard output, files of watched processes.
    private static let others = 64

    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

    /// Raises the soft limit, which is 1,024 on many systems, as far as so many connections need. Never lowers it.
    ///
    /// - Throws: ``UsageError`` when they are more than the hard limit lets be.
    static func allow(connections: Int) throws {
        var limit = rlimit()
        let wanted = rlim_t(connections + others)
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < wanted else { return }
        limit.rlim_cur = min(limit.rlim_max, wanted)
        guard limit.rlim_cur == wanted, setrlimit(resource, &limit) == 0 else {
            throw UsageError(description: "--connections: only \(limit.rlim_max) files may be open (ulimit -n)")
        }
    }
}
