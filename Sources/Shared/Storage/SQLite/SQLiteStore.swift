import Logging
import RPC
import Storage

/// An embedded SQLite database: one thread that writes, and threads that read beside it.
///
/// What ``write(deadline:_:)`` answered is on the disk. Calls that wait at the same time share one write to it.
public final class SQLiteStore: CombinedStore {
    /// Calls that one thread takes at once: enough to share a write to the disk, few enough not to hold up the first.
    private static let batchSizeMax = 64
    /// A read is shorter than waking a second thread, until this many wait.
    private static let queuedReadsPerWake = 32

    private let writer: ConnectionPool<SQLiteConnection>
    @usableFromInline let readers: ConnectionPool<SQLiteConnection>

    /// Opens nothing yet.
    ///
    /// - Parameters:
    ///   - path: the database file; it and its folder are made where they are missing.
    ///   - name: names threads and gauges.
    ///   - migrations: the schema, step by step; each is SQL that runs once in a file's life. Only add at the end.
    ///   - readerCount: threads that read, at least 1.
    /// - Throws: ``StorageError`` of kind `.configuration` for a path that can't be one.
    public init(
        path: String, name: String, migrations: [String], readerCount: Int = 1, logger: Logger
    ) throws(StorageError) {
        guard !path.isEmpty, path.first != ":", path.last != "/" else {
            throw StorageError(.configuration, "sqlite:PATH needs the path of a file, not '\(path)'")
        }
        let file = SQLiteFile(path: path, migrations: migrations)
        var configuration = PoolConfiguration(name: "\(name)-write", threads: 1)
        configuration.batchSizeMax = Self.batchSizeMax
        configuration.waitMax = PoolConfiguration.waitMaxOfStores
        configuration.tracing = Self.tracing("write", name)
        writer = ConnectionPool(configuration, logger: logger) { try file.openWriter() }
        configuration.name = "\(name)-read"
        configuration.threads = readerCount
        configuration.tracing = Self.tracing("read", name)
        configuration.queuedPerWake = Self.queuedReadsPerWake
        readers = ConnectionPool(configuration, logger: logger) { try file.openReader() }
    }

    /// Statements take microseconds and share a transaction, so one span tells of all that a call does.
    private static func tracing(_ operation: String, _ name: String) -> PoolTracing {
        .calls(
            name: "\(operation) \(name)", kind: .client,
            attributes: [
                "db.system.name": "sqlite", "db.namespace": .string(name), "db.operation.name": .string(operation),
                "db.query.summary": .string("\(operation) \(name)"),
            ])
    }

    /// Runs `body` on a reader thread, which sees everything that was answered before.
    ///
    /// Inlined, as a function of its own would keep a frame for as long as the call waits.
    ///
    /// - Throws: what `body` and ``ConnectionPool/run(deadline:_:)`` throw.
    @inlinable
    public func read<Value: Sendable>(
        deadline: Deadline, _ body: @escaping @Sendable (SQLiteConnection) throws -> Value
    ) async throws -> Value {
        try await readers.run(deadline: deadline, body)
    }

    /// Runs `body` on the writer thread, as one transaction: when it throws, it has changed nothing.
    ///
    /// - Throws: what `body` and ``ConnectionPool/run(deadline:_:)`` throw.
    public func write<Value: Sendable>(
        deadline: Deadline, _ body: @escaping @Sendable (SQLiteConnection) throws -> Value
    ) async throws -> Value {
        try await writer.run(deadline: deadline) { try $0.isolate(body) }
    }

    /// The writer first, as it stops last: whoever closes last moves the log into the file, and readers can't.
    public var parts: [any Store] { [writer, readers] }
}
