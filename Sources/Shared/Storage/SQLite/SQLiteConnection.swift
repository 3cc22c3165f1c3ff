import GRDB
import GRDBSQLite
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

    private let queue: DatabaseQueue
    private let isWriter: Bool
    private var statements: [SQLiteStatement?] = []
    /// GRDB's connection, while a batch runs.
    private var database: Database?
    /// Set when SQLite gave up the whole transaction in the middle of a batch, as it does when the disk is full.
    private var broken: StorageError?

    init(_ queue: DatabaseQueue, isWriter: Bool) {
        self.queue = queue
        self.isWriter = isWriter
    }

    /// The statement of `query`, prepared on first use. Only inside a call.
    public func statement(_ query: SQLiteQuery) throws(StorageError) -> SQLiteStatement {
        if query.index < statements.count, let statement = statements[query.index] { return statement }
        guard let connection = database?.sqliteConnection else {
            throw StorageError(.other, "a statement was used outside of a call")
        }
        let statement = try SQLiteStatement(query.sql, on: connection)
        while statements.count <= query.index { statements.append(nil) }
        statements[query.index] = statement
        return statement
    }

    /// Runs SQL that is not kept; for schemas and tests. It may hold several statements.
    public func execute(_ sql: String) throws {
        guard let database else { throw StorageError(.other, "SQL was used outside of a call") }
        do {
            try database.execute(sql: sql)
        } catch let error as DatabaseError {
            throw StorageError(sqlite: error.extendedResultCode.rawValue, error.message ?? "")
        }
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
        try queue.writeWithoutTransaction { database in
            self.database = database
            defer {
                self.database = nil
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
    }

    public func close() {
        // Statements go first: SQLite refuses to close a connection that still has some.
        statements = []
        try? queue.close()
    }

    private var isInTransaction: Bool {
        guard let connection = database?.sqliteConnection else { return false }
        return sqlite3_get_autocommit(connection) == 0
    }
}
