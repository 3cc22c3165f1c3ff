import CSQLite
import Storage

extension StorageError {
    /// What the last call on `connection` said.
    init(sqlite code: Int32, on connection: OpaquePointer) {
        let extended = sqlite3_extended_errcode(connection)
        self.init(sqlite: extended & 0xff == code & 0xff ? extended : code, String(cString: sqlite3_errmsg(connection)))
    }

    /// An error that opening a file ended with.
    init(opening error: StorageError, path: String) {
        self = error
        message = "\(path): \(message)"
        // What can't be opened now can't be opened later, unless another process holds it or the disk is full.
        if kind == .other || kind == .corrupt { kind = .unusable }
    }

    /// The one place where SQLite's codes get a meaning. Source: https://www.sqlite.org/rescode.html
    init(sqlite code: Int32, _ message: String) {
        let kind: Kind
        switch code {
        case 1555, 2067: kind = .duplicateKey  // SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE
        default:
            switch code & 0xff {
            case SQLITE_BUSY, SQLITE_LOCKED: kind = .busy
            case SQLITE_FULL: kind = .full
            case SQLITE_CORRUPT: kind = .corrupt
            case SQLITE_NOTADB: kind = .unusable
            case SQLITE_INTERRUPT: kind = .timeout
            default: kind = .other
            }
        }
        self.init(kind, "\(message) (SQLite code \(code))")
        // "UNIQUE constraint failed: users.id": the column, or several.
        if kind == .duplicateKey, let colon = message.lastIndex(of: ":") {
            key = String(message[message.index(after: colon)...].drop { $0 == " " })
        }
    }
}
