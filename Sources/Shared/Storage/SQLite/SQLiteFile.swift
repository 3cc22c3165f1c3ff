import GRDB
import Storage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

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
    private static let busyTimeoutSeconds = 5.0

    let path: String
    private let migrations: [String]
    private let state = Monitor(State.new)

    private enum State {
        case new
        /// Opened to write, and not yet handed to the writer.
        case opened(DatabaseQueue)
        case handedOut
    }

    init(path: String, migrations: [String]) {
        self.path = path
        self.migrations = migrations
    }

    /// A connection to write with. Blocks.
    func openWriter() throws -> SQLiteConnection {
        let queue = try state.withLock { state in
            let queue = if case .opened(let queue) = state { queue } else { try openPrepared() }
            state = .handedOut
            return queue
        }
        return SQLiteConnection(queue, isWriter: true)
    }

    /// A connection to read with; whoever comes first makes the file and its schema. Blocks.
    func openReader() throws -> SQLiteConnection {
        try state.withLock { state in
            if case .new = state { state = .opened(try openPrepared()) }
        }
        do {
            return SQLiteConnection(
                try DatabaseQueue(path: path, configuration: configuration(isWriter: false)), isWriter: false)
        } catch {
            throw StorageError(opening: error, path: path)
        }
    }

    private func openPrepared() throws -> DatabaseQueue {
        try makeFolder()
        makePrivate()
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration(isWriter: true))
            try queue.writeWithoutTransaction { try migrate($0) }
            return queue
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

    private func configuration(isWriter: Bool) -> Configuration {
        var configuration = Configuration()
        configuration.label = "SQLite"
        configuration.readonly = !isWriter
        configuration.busyMode = .timeout(Self.busyTimeoutSeconds)
        configuration.prepareDatabase { database in
            if isWriter {
                let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
                guard mode == "wal" else {
                    throw StorageError(.refused, "\(self.path): this place can't hold a write-ahead log")
                }
                // FULL: a commit is on the disk before it is answered, so that a power cut takes nothing back.
                try database.execute(
                    sql: """
                        PRAGMA synchronous = FULL;
                        PRAGMA wal_autocheckpoint = \(Self.checkpointPages);
                        """)
            }
            try database.execute(
                sql: """
                    PRAGMA mmap_size = \(Self.mappedBytesMax);
                    PRAGMA cache_size = -\(Self.cacheKiB);
                    PRAGMA temp_store = MEMORY;
                    """)
        }
        return configuration
    }

    /// Runs the migrations that this file has not seen; `user_version` counts them.
    private func migrate(_ database: Database) throws {
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        guard version <= migrations.count else {
            throw StorageError(.refused, "\(path) was written by a newer version of this program")
        }
        guard version < migrations.count else { return }
        try database.inTransaction(.immediate) {
            // Another process may have been faster.
            let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
            for migration in migrations.dropFirst(version) { try database.execute(sql: migration) }
            try database.execute(sql: "PRAGMA user_version = \(migrations.count)")
            return .commit
        }
    }

    /// Makes the folders on the way to the file.
    private func makeFolder() throws(StorageError) {
        var end = path.startIndex
        while let slash = path[end...].firstIndex(of: "/") {
            end = path.index(after: slash)
            let folder = String(path[..<slash])
            if folder.isEmpty || mkdir(folder, 0o700) == 0 || errno == EEXIST || errno == EISDIR { continue }
            let reason = String(cString: strerror(errno))
            throw StorageError(.refused, "\(path): the folder \(folder) can't be made: \(reason)")
        }
    }
}
