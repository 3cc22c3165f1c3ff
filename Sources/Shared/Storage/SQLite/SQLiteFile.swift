import Glibc
import Storage

/// A database file: opened and brought to the newest schema once, then opened again for each reader.
final class SQLiteFile: Sendable {
    /// Read-ahead and copies saved for the part of the file that fits; the kernel gives and takes the memory.
    private static let mappedBytesMax = 256 << 20
    /// Pages kept by each connection.
    private static let cacheKiB = 4096
    /// Pages in the log before a commit moves them into the file: larger means fewer, longer pauses and a slower start
    /// after a crash.
    private static let checkpointPages = 2000
    /// How long a call waits for another process that holds the file.
    private static let busyTimeout: Duration = .seconds(5)

    let path: String
    private let migrations: [String]
    private let state = Monitor(State.new)

    private enum State {
        case new
        /// Opened to write, and not yet handed to the writer.
        case opened(SQLiteHandle)
        case handedOut
    }

    init(path: String, migrations: [String]) {
        self.path = path
        self.migrations = migrations
    }

    /// A connection to write with. Blocks.
    func openWriter() throws -> SQLiteConnection {
        let handle = try state.withLock { state in
            let handle = if case .opened(let handle) = state { handle } else { try openPrepared() }
            state = .handedOut
            return handle
        }
        return SQLiteConnection(handle, isWriter: true)
    }

    /// A connection to read with; whoever comes first makes the file and its schema. Blocks.
    func openReader() throws -> SQLiteConnection {
        try state.withLock { state in
            if case .new = state { state = .opened(try openPrepared()) }
        }
        do throws(StorageError) {
            return SQLiteConnection(try openHandle(isWriter: false), isWriter: false)
        } catch {
            throw StorageError(opening: error, path: path)
        }
    }

    private func openPrepared() throws -> SQLiteHandle {
        try makeFolder()
        makePrivate()
        do throws(StorageError) {
            let handle = try openHandle(isWriter: true)
            try migrate(handle)
            return handle
        } catch {
            throw StorageError(opening: error, path: path)
        }
    }

    /// Makes a file that is missing, for its owner alone: what is in it may be others' secrets. SQLite gives the files
    /// beside it the same mode. One that is there keeps its mode, and is not opened here: closing it would take SQLite's
    /// locks from it (fcntl(2)). What goes wrong SQLite meets again, and tells.
    private func makePrivate() {
        let descriptor = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        if descriptor >= 0 { close(descriptor) }
    }

    private func openHandle(isWriter: Bool) throws(StorageError) -> SQLiteHandle {
        let handle = try SQLiteHandle(path: path, isWriter: isWriter, busyTimeout: Self.busyTimeout)
        if isWriter {
            // text: SQLite's own.
            guard try handle.text("PRAGMA journal_mode = WAL") == "wal" else {
                throw StorageError(.unusable, "this place can't hold a write-ahead log")
            }
            // FULL: a commit is on the disk before it is answered, so that a power cut takes nothing back.
            try handle.execute(
                """
                PRAGMA synchronous = FULL;
                PRAGMA wal_autocheckpoint = \(Self.checkpointPages);
                """)
        }
        try handle.execute(
            """
            PRAGMA mmap_size = \(Self.mappedBytesMax);
            PRAGMA cache_size = -\(Self.cacheKiB);
            PRAGMA temp_store = MEMORY;
            """)
        return handle
    }

    /// Runs the migrations that this file has not seen; `user_version` counts them.
    private func migrate(_ handle: SQLiteHandle) throws(StorageError) {
        let version = try handle.number("PRAGMA user_version")
        guard version <= migrations.count else {
            throw StorageError(.unusable, "it was written by a newer version of this program")
        }
        guard version < migrations.count else { return }
        try handle.execute("BEGIN IMMEDIATE")
        // Another process may have been faster.
        let current = try handle.number("PRAGMA user_version")
        for migration in migrations.dropFirst(Int(current)) { try handle.execute(migration) }
        try handle.execute("PRAGMA user_version = \(max(migrations.count, Int(current))); COMMIT")
        // Where one of these fails, the handle is closed, and SQLite rolls back.
    }

    /// Makes the folders on the way to the file.
    private func makeFolder() throws(StorageError) {
        var end = path.startIndex
        while let slash = path[end...].firstIndex(of: "/") {
            end = path.index(after: slash)
            let folder = String(path[..<slash])
            if folder.isEmpty || mkdir(folder, 0o700) == 0 || errno == EEXIST || errno == EISDIR { continue }
            let reason = String(cString: strerror(errno))
            throw StorageError(.unusable, "\(path): the folder \(folder) can't be made: \(reason)")
        }
    }
}
