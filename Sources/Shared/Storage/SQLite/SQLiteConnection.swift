import Storage

/// One connection to the file, on one pool thread, with its prepared statements.
///
/// All calls of a batch share one transaction: a writer's are made durable by one write to the disk, a reader's see one state.
/// That state is never older than the last write that was answered before a call was made, as a batch begins after
/// its calls were queued.
public final class SQLiteConnection: PooledConnection {
    private static let beginRead = SQLiteQuery("BEGIN DEFERRED")
    private static let beginWrite = SQLiteQuery("BEGIN IMMEDIATE")
    private static let commit = SQLiteQuery("COMMIT")
    private static let rollback = SQLiteQuery("ROLLBACK")
    private static let savepoint = SQLiteQuery("SAVEPOINT call")
    private static let release = SQLiteQuery("RELEASE call")
    private static let undo = SQLiteQuery("ROLLBACK TO call")

    /// `nil` once it is closed.
    private var handle: SQLiteHandle?
    private let isWriter: Bool
    private var statements: [SQLiteStatement?] = []
    private var isInBatch = false
    /// Set when SQLite gave up the whole transaction in the middle of a batch, as it does when the disk is full.
    private var broken: StorageError?

    init(_ handle: SQLiteHandle, isWriter: Bool) {
        self.handle = handle
        self.isWriter = isWriter
    }

    /// The statement of `query`, prepared on first use. Only inside a call.
    public func statement(_ query: SQLiteQuery) throws(StorageError) -> SQLiteStatement {
        if query.index < statements.count, let statement = statements[query.index] { return statement }
        let statement = try SQLiteStatement(query.sql, on: try usableHandle().pointer)
        while statements.count <= query.index { statements.append(nil) }
        statements[query.index] = statement
        return statement
    }

    /// Runs SQL that is not kept; for schemas and tests. It may hold several statements.
    public func execute(_ sql: String) throws(StorageError) {
        try usableHandle().execute(sql)
    }

    private func usableHandle() throws(StorageError) -> SQLiteHandle {
        guard let handle, isInBatch else { throw StorageError(.other, "a connection was used outside of a call") }
        return handle
    }

    /// Runs one call of a batch so that its failure undoes its own writes and no other's.
    func isolate<Value>(_ body: (SQLiteConnection) throws -> Value) throws -> Value {
        if let broken { throw broken }
        try statement(Self.savepoint).run()
        do {
            let value = try body(self)
            try statement(Self.release).run()
            return value
        } catch {
            if isInTransaction {
                try statement(Self.undo).run()
                try statement(Self.release).run()
            } else {
                broken = error as? StorageError ?? StorageError(.other, "the transaction was rolled back")
            }
            throw error
        }
    }

    public func runBatch(_ jobs: () -> Void) throws {
        isInBatch = true
        defer {
            isInBatch = false
            broken = nil
        }
        try statement(isWriter ? Self.beginWrite : Self.beginRead).run()
        jobs()
        do {
            if let broken { throw broken }
            try statement(Self.commit).run()
        } catch {
            // SQLite may have rolled back by itself; what is asked for here is only that no transaction stays open.
            if isInTransaction { try statement(Self.rollback).run() }
            throw error
        }
    }

    public func close() {
        statements = []
        handle = nil
    }

    private var isInTransaction: Bool { handle?.isInTransaction ?? false }
}
