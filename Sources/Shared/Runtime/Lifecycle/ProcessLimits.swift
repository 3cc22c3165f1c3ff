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
