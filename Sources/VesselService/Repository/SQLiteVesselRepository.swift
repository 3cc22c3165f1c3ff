import Contracts
import Idempotency
import RPC
import SQLiteStorage
import Storage

/// Vessels in the embedded store.
struct SQLiteVesselRepository: VesselRepository {
    /// Index entries that are looked at before the bands are asked: with any usual fleet the fit is among them.
    static let scanLengthMax = 32
    private static let keys = SQLiteIdempotency(answer: "vessel")

    static let migrations = [
        """
        CREATE TABLE vessels (
            capacity INTEGER NOT NULL,
            max_weight INTEGER NOT NULL,
            id TEXT NOT NULL,
            name TEXT NOT NULL,
            available INTEGER NOT NULL,
            owner_id TEXT NOT NULL,
            PRIMARY KEY (capacity, max_weight, id)
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX vessels_id ON vessels (id);
        CREATE TABLE vessel_bands (band INTEGER PRIMARY KEY, heaviest INTEGER NOT NULL);
        \(keys.schema)
        """
    ]

    let store: SQLiteStore

    func tightestFit(capacity: Int32, weight: Int32, deadline: Deadline) async throws -> Vessel_Vessel? {
        try await store.read(deadline: deadline) { connection in
            let rows = try connection.statement(Self.scan).bind(1, capacity).bind(2, weight)
            let (fit, seen) = try rows.first(among: Self.scanLengthMax) {
                $0.int32(1) >= weight
            } decode: {
                Self.vessel($0)
            }
            if fit != nil || seen < Self.scanLengthMax { return fit }
            return try Self.searchBands(connection, from: capacity, weight: weight)
        }
    }

    func create(_ vessel: Vessel_Vessel, claim: IdempotencyClaim?, deadline: Deadline) async throws -> Vessel_Vessel {
        try await store.write(deadline: deadline) { connection in
            if let claim, let first = try Self.keys.answer(to: claim, connection) {
                return try Vessel_Vessel(knownFieldsOf: first)
            }
            var vessel = vessel
            if vessel.id.isEmpty { vessel.id = Identifier.random() }
            try Self.insert(vessel, connection)
            if let claim { try Self.keys.keep(claim, answer: try vessel.serializedBytes(), connection) }
            return vessel
        }
    }
}

// MARK: - Searching

extension SQLiteVesselRepository {
    private static let columns = "capacity, max_weight, id, name, available, owner_id"
    private static let scan = SQLiteQuery(
        """
        SELECT \(columns) FROM vessels WHERE (capacity, max_weight) >= (?1, ?2)
        ORDER BY capacity, max_weight, id LIMIT \(scanLengthMax)
        """)
    private static let lightest = SQLiteQuery(
        """
        SELECT \(columns) FROM vessels WHERE capacity = ?1 AND max_weight >= ?2
        ORDER BY capacity, max_weight, id LIMIT 1
        """)
    private static let exhaustive = SQLiteQuery(
        """
        SELECT \(columns) FROM vessels WHERE capacity >= ?1 AND max_weight >= ?2
        ORDER BY capacity, max_weight, id LIMIT 1
        """)
    private static let firstBand = SQLiteQuery(
        "SELECT band FROM vessel_bands WHERE band BETWEEN ?1 AND ?2 AND heaviest >= ?3 ORDER BY band LIMIT 1")

    private static func searchBands(
        _ connection: SQLiteConnection, from capacity: Int32, weight: Int32
    ) throws -> Vessel_Vessel? {
        let bands = try connection.statement(firstBand)
        return try CapacityBands.search(
            from: capacity,
            firstBand: { ranges in
                for range in ranges {
                    bands.bind(1, range.lowerBound).bind(2, range.upperBound).bind(3, weight)
                    if let band = try bands.first({ $0.int64(0) }) { return band }
                }
                return nil
            },
            lightest: { try connection.statement(lightest).bind(1, $0).bind(2, weight).first(vessel) },
            exhaustive: { try connection.statement(exhaustive).bind(1, $0).bind(2, weight).first(vessel) })
    }

    private static func vessel(_ row: SQLiteRow) -> Vessel_Vessel {
        var vessel = Vessel_Vessel()
        vessel.capacity = row.int32(0)
        vessel.maxWeight = row.int32(1)
        vessel.id = row.string(2)
        vessel.name = row.string(3)
        vessel.available = row.int32(4) != 0
        vessel.ownerID = row.string(5)
        return vessel
    }
}

// MARK: - Storing

extension SQLiteVesselRepository {
    private static let insert = SQLiteQuery("INSERT INTO vessels (\(columns)) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
    private static let heaviest = SQLiteQuery("SELECT heaviest FROM vessel_bands WHERE band = ?1")
    private static let raise = SQLiteQuery(
        "INSERT INTO vessel_bands VALUES (?1, ?2) ON CONFLICT (band) DO UPDATE SET heaviest = excluded.heaviest")

    private static func insert(_ vessel: Vessel_Vessel, _ connection: SQLiteConnection) throws {
        do throws(StorageError) {
            try connection.statement(insert)
                .bind(1, vessel.capacity).bind(2, vessel.maxWeight).bind(3, vessel.id).bind(4, vessel.name)
                .bind(5, vessel.available ? 1 : 0).bind(6, vessel.ownerID).run()
        } catch {
            guard error.kind == .duplicateKey else { throw error }
            throw VesselError.idTaken(vessel.id)
        }
        // From the smallest up: above a band that is high enough all are.
        for band in CapacityBands.bands(of: vessel.capacity).reversed() {
            let stored = try connection.statement(heaviest).bind(1, band).first { $0.int32(0) }
            if let stored, stored >= vessel.maxWeight { return }
            try connection.statement(raise).bind(1, band).bind(2, vessel.maxWeight).run()
        }
    }
}
