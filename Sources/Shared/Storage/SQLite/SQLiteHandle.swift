import CSQLite
import Storage

/// An open database file: the one owner of its `sqlite3`.
///
/// It is made by one thread and may be handed to another, but only one uses it at a time, so it is opened without SQLite's own
/// lock (`SQLITE_OPEN_NOMUTEX`).
///
/// Why `@unchecked Sendable` holds: nothing in it changes but what is behind `pointer`. ``SQLiteFile`` makes a handle, uses it
/// under its lock, and gives it to one ``SQLiteConnection``, which its pool uses and closes on one thread.
///
/// Source: https://www.sqlite.org/c3ref/open.html, https://www.sqlite.org/threadsafe.html
final class SQLiteHandle: @unchecked Sendable {
    /// For SQLite's functions, as long as this lives.
    let pointer: OpaquePointer

    /// Opens a file; to write, makes it where it is missing.
    ///
    /// - Parameter busyTimeout: how long a call waits for another process that holds the file.
    init(path: String, isWriter: Bool, busyTimeout: Duration) throws(StorageError) {
        let access = isWriter ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        // It is there also when opening failed, to say why; not without memory.
        guard let opened else { throw StorageError(sqlite: code, "no memory for a connection") }
        pointer = opened
        // From here on `deinit` closes it, also when this throws.
        guard code == SQLITE_OK else { throw StorageError(sqlite: code, on: opened) }
        sqlite3_busy_timeout(opened, Int32(clamping: busyTimeout.components.seconds * 1_000))
    }

    deinit {
        // Waits for statements that are still there, so that the order in which they go does not matter.
        sqlite3_close_v2(pointer)
    }

    /// Runs SQL that is not kept. It may hold several statements; rows are dropped.
    func execute(_ sql: String) throws(StorageError) {
        let code = sqlite3_exec(pointer, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw StorageError(sqlite: code, on: pointer) }
    }

    /// The first column of the first row that a statement answers.
    func text(_ sql: String) throws(StorageError) -> String? {
        try SQLiteStatement(sql, on: pointer).first { $0.string(0) }
    }

    /// The first column of the first row that a statement answers, as a whole number; 0 when there is no row.
    func number(_ sql: String) throws(StorageError) -> Int64 {
        try SQLiteStatement(sql, on: pointer).first { $0.int64(0) } ?? 0
    }

    var isInTransaction: Bool { sqlite3_get_autocommit(pointer) == 0 }
}
