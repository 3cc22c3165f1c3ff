import CSQLite
import Storage
import Synchronization

/// An SQL text that each connection prepares once, on first use, and keeps.
///
/// Make each a `static let`: every value made takes a place in each connection for good.
public struct SQLiteQuery: Sendable {
    private static let count = Atomic<Int>(0)

    /// One statement, with parameters `?1`, `?2`, …
    public let sql: String
    /// The place of its statement in a connection.
    let index: Int

    public init(_ sql: String) {
        self.sql = sql
        index = Self.count.wrappingAdd(1, ordering: .relaxed).oldValue
    }
}

/// A prepared statement: the one owner of its `sqlite3_stmt`, which is finalized with it.
///
/// Use it only inside a call of ``SQLiteStore``, where it is on its connection's thread.
/// Source: https://www.sqlite.org/c3ref/stmt.html
public final class SQLiteStatement {
    private let handle: OpaquePointer
    private let connection: OpaquePointer

    /// - Parameter connection: a `sqlite3`.
    init(_ sql: String, on connection: OpaquePointer) throws(StorageError) {
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else {
            throw StorageError(sqlite: code, on: connection)
        }
        handle = statement
        self.connection = connection
    }

    deinit {
        sqlite3_finalize(handle)
    }

    /// Binds a whole number to parameter `index`, counted from 1.
    ///
    /// Inlined, so that the number is converted where its type is known: for any type that would take longer than to
    /// bind it.
    @inlinable @discardableResult
    public func bind(_ index: Int32, _ value: some BinaryInteger) -> Self {
        bind(index, number: Int64(value))
    }

    @usableFromInline @discardableResult
    func bind(_ index: Int32, number: Int64) -> Self {
        check(sqlite3_bind_int64(handle, index, number))
        return self
    }

    @discardableResult
    public func bind(_ index: Int32, _ value: String) -> Self {
        var value = value
        value.withUTF8 { bytes in
            // An empty buffer may have no address, and no address would bind NULL.
            bytes.withMemoryRebound(to: CChar.self) { text in
                if let address = text.baseAddress {
                    check(sqlite3_bind_text(handle, index, address, Int32(text.count), Self.transient))
                } else {
                    check(sqlite3_bind_text(handle, index, "", 0, Self.transient))
                }
            }
        }
        return self
    }

    @discardableResult
    public func bind(_ index: Int32, _ value: [UInt8]) -> Self {
        value.withUnsafeBytes { bytes in
            if let address = bytes.baseAddress, bytes.count > 0 {
                check(sqlite3_bind_blob(handle, index, address, Int32(bytes.count), Self.transient))
            } else {
                check(sqlite3_bind_zeroblob(handle, index, 0))
            }
        }
        return self
    }

    /// Runs a statement that answers no rows.
    ///
    /// - Returns: how many rows it changed.
    @discardableResult
    public func run() throws(StorageError) -> Int {
        defer { reset() }
        while try step() {}
        return Int(sqlite3_changes(connection))
    }

    /// What `decode` makes of the first row; `nil` when there is none.
    ///
    /// Inlined, so that the columns are read straight into the value.
    @inlinable
    public func first<Value>(_ decode: (SQLiteRow) -> Value) throws(StorageError) -> Value? {
        defer { reset() }
        return try step() ? decode(row) : nil
    }

    /// Gives each row to `body` until that answers false.
    public func forEach(_ body: (SQLiteRow) throws -> Bool) throws {
        defer { reset() }
        while try step(), try body(row) {}
    }

    /// What `decode` makes of each row. All are in memory at once: give the query a LIMIT.
    public func all<Value>(_ decode: (SQLiteRow) -> Value) throws(StorageError) -> [Value] {
        defer { reset() }
        var rows: [Value] = []
        while try step() { rows.append(decode(row)) }
        return rows
    }

    /// Goes to the next row; false when there is none.
    @usableFromInline
    func step() throws(StorageError) -> Bool {
        let code = sqlite3_step(handle)
        switch code {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw StorageError(sqlite: code, on: connection)
        }
    }

    /// The row that ``step()`` went to.
    @usableFromInline
    var row: SQLiteRow { SQLiteRow(handle) }

    /// Resets the statement, so that it can be bound and run again.
    @usableFromInline
    func reset() { sqlite3_reset(handle) }

    /// Binding fails only for a parameter that the statement does not have, for a statement that was not reset (each
    /// use resets it), for more than 1 GB, and without memory.
    private func check(_ code: Int32) {
        precondition(code == SQLITE_OK, "a parameter could not be bound")
    }

    /// SQLite copies the bytes, as Swift's are only lent.
    private static var transient: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }
}

/// The row that a statement stands on. Valid only inside the closure that it is lent to.
public struct SQLiteRow {
    private let handle: OpaquePointer

    init(_ handle: OpaquePointer) {
        self.handle = handle
    }

    /// Column `index`, counted from 0; 0 where it is NULL.
    public func int64(_ index: Int32) -> Int64 {
        sqlite3_column_int64(handle, index)
    }

    public func int32(_ index: Int32) -> Int32 {
        sqlite3_column_int(handle, index)
    }

    /// Ask before the column is read as anything.
    public func isNull(_ index: Int32) -> Bool {
        sqlite3_column_type(handle, index) == SQLITE_NULL
    }

    /// Empty where it is NULL.
    public func string(_ index: Int32) -> String {
        guard let text = sqlite3_column_text(handle, index) else { return "" }
        let count = Int(sqlite3_column_bytes(handle, index))
        return String(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self)
    }

    /// Empty where it is NULL.
    public func bytes(_ index: Int32) -> [UInt8] {
        guard let blob = sqlite3_column_blob(handle, index) else { return [] }
        return Array(UnsafeRawBufferPointer(start: blob, count: Int(sqlite3_column_bytes(handle, index))))
    }
}
