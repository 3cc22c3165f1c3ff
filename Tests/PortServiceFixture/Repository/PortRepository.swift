import RPC
import SQLiteStorage

/// Ports in the embedded store.
struct PortRepository: Sendable {
    static let migrations = [
        """
        CREATE TABLE ports (
            code TEXT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            country TEXT NOT NULL
        ) WITHOUT ROWID;
        """
    ]

    /// What `--seed` makes sure of.
    static let seedPorts = [
        makePort("DEHAM", "Hamburg", "Germany"),
        makePort("NLRTM", "Rotterdam", "Netherlands"),
    ]

    private static let insert = SQLiteQuery(
        "INSERT INTO ports (code, name, country) VALUES (?1, ?2, ?3) ON CONFLICT (code) DO NOTHING")
    private static let find = SQLiteQuery("SELECT code, name, country FROM ports WHERE code = ?1")

    let store: SQLiteStore

    /// Stores those that are missing.
    func insert(_ ports: [Port_Port], deadline: Deadline) async throws {
        try await store.write(deadline: deadline) { connection in
            for port in ports {
                try connection.statement(Self.insert)
                    .bind(1, port.code).bind(2, port.name).bind(3, port.country).run()
            }
        }
    }

    /// The port with this code; `nil` when there is none.
    func port(code: String, deadline: Deadline) async throws -> Port_Port? {
        try await store.read(deadline: deadline) { connection in
            try connection.statement(Self.find).bind(1, code).first(Self.decode)
        }
    }

    private static func decode(_ row: SQLiteRow) -> Port_Port {
        makePort(row.string(0), row.string(1), row.string(2))
    }

    private static func makePort(_ code: String, _ name: String, _ country: String) -> Port_Port {
        var port = Port_Port()
        port.code = code
        port.name = name
        port.country = country
        return port
    }
}
