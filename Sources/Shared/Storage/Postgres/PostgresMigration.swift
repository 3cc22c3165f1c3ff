import RPC
import Storage

/// One step of a schema, numbered by its place in the list. Only add at the end, and never change one that was shipped.
public struct PostgresMigration: Sendable {
    /// For people who look into the table.
    let name: String
    let apply: @Sendable (PostgresConnection) throws -> Void

    /// - Parameter apply: runs once in a database's life, in a transaction of its own.
    public init(_ name: String, apply: @escaping @Sendable (PostgresConnection) throws -> Void) {
        self.name = name
        self.apply = apply
    }

    /// - Parameter sql: one or more statements.
    public init(_ name: String, sql: String) {
        self.init(name) { try $0.script(sql) }
    }
}

/// Brings a database to the newest schema when a program starts. There is no way back.
///
/// Replicas may start together: each step runs under an advisory lock, and whoever does not get it tries again later.
struct PostgresMigrator: Sendable {
    /// "shippy" in ASCII; nobody else's lock by accident.
    private static let lockID: Int64 = 0x7368_6970_7079
    /// A step may have to rewrite a large table.
    private static let timeMax: Duration = .seconds(600)

    private static let exists = PostgresQuery("SELECT to_regclass('shippy_migrations') IS NOT NULL")
    private static let read = PostgresQuery("SELECT coalesce(max(version), 0) FROM shippy_migrations WHERE store = $1")
    private static let lock = PostgresQuery("SELECT pg_try_advisory_xact_lock($1)")
    private static let note = PostgresQuery("INSERT INTO shippy_migrations (store, version, name) VALUES ($1, $2, $3)")
    /// A name of our own: other migration tools take `schema_migrations` for theirs.
    private static let table = """
        CREATE TABLE IF NOT EXISTS shippy_migrations (
            store text NOT NULL,
            version integer NOT NULL,
            name text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (store, version)
        )
        """

    /// Whose schema it is; several may share a database.
    let store: String
    let migrations: [PostgresMigration]

    /// Runs what this database has not seen. Blocks.
    ///
    /// - Throws: ``StorageError`` of kind `.unusable` where a retry does not help, `.accessDenied` where a permission is
    ///   missing, `.connectionLost` where trying again may help, also while another process is at it.
    func run(on connection: PostgresConnection) throws {
        do {
            try connection.call(until: .after(Self.timeMax)) { connection in
                while try version(connection) < migrations.count {
                    try connection.transaction { try step($0) }
                }
            }
        } catch let error as StorageError {
            switch error.kind {
            case .connectionLost, .unusable, .accessDenied, .full: throw error
            case .busy, .timeout: throw StorageError(.connectionLost, error.message)
            default: throw StorageError(.unusable, "the schema of '\(store)' could not be made: \(error.message)")
            }
        }
    }

    private func version(_ connection: PostgresConnection) throws -> Int {
        guard try connection.first(Self.exists, decode: { row throws(StorageError) in try row.bool(0) }) == true else {
            return 0
        }
        let version = try connection.first(Self.read, .text(store)) { row throws(StorageError) in try row.int64(0) }
        guard let version, version <= migrations.count else {
            throw StorageError(.unusable, "the schema of '\(store)' was made by a newer version of this program")
        }
        return Int(version)
    }

    private func step(_ connection: PostgresConnection) throws {
        let isOurs = try connection.first(Self.lock, .integer(Self.lockID)) { row throws(StorageError) in
            try row.bool(0)
        }
        guard isOurs == true else {
            throw StorageError(.connectionLost, "another process brings the schema of '\(store)' up to date")
        }
        // In a transaction of its own each statement sees what others committed, so the version is the newest.
        try connection.script(Self.table)
        let version = try version(connection)
        guard version < migrations.count else { return }
        let migration = migrations[version]
        try migration.apply(connection)
        try connection.run(Self.note, .text(store), .integer(Int64(version + 1)), .text(migration.name))
    }
}
