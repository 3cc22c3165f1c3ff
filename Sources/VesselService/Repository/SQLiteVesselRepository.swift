import Contracts
import Idempotency
import RPC
import SQLiteStorage
import Storage

/// Vessels in the embedded store.
struct SQLiteVesselRepository: VesselRepository {
    static let keys = SQLiteIdempotency(answer: "vessel")

    let store: SQLiteStore

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

    func tightestFit(_ room: Room, deadline: Deadline) async throws -> Vessel_Vessel? {
        try await store.read(deadline: deadline) { try Self.tightestFit(room, $0)?.vessel }
    }

    func vessel(id: String, deadline: Deadline) async throws -> Vessel_Vessel? {
        try await store.read(deadline: deadline) { try Self.find(id, $0)?.vessel }
    }

    func page(after: String?, limit: Int, deadline: Deadline) async throws -> [Vessel_Vessel] {
        try await store.read(deadline: deadline) {
            try $0.statement(Self.page).bind(1, after ?? "").bind(2, limit).all { StoredVessel($0).vessel }
        }
    }

    func update(
        id: String, deadline: Deadline, _ change: @escaping @Sendable (inout Vessel_Vessel) throws -> Void
    ) async throws -> Vessel_Vessel? {
        try await store.write(deadline: deadline) { connection in
            guard var stored = try Self.find(id, connection) else { return nil }
            let before = stored.vessel
            try change(&stored.vessel)
            try Self.replace(before, by: stored, connection)
            return stored.vessel
        }
    }

    func reserve(_ room: Room, for consignmentID: String, deadline: Deadline) async throws -> Vessel_Vessel? {
        try await store.write(deadline: deadline) { connection in
            if let reservation = try Self.reservation(of: consignmentID, connection) {
                guard !reservation.isReleased else { throw VesselError.released(consignmentID) }
                return try Self.vessel(number: reservation.vessel, connection)?.vessel
            }
            guard var stored = try Self.tightestFit(room, connection) else { return nil }
            let before = stored.vessel
            stored.vessel.bookedContainers += room.containers
            stored.vessel.bookedWeight += room.weight
            try Self.replace(before, by: stored, connection)
            try connection.statement(Self.insertReservation)
                .bind(1, consignmentID).bind(2, stored.number).bind(3, room.containers).bind(4, room.weight).bind(5, 0)
                .run()
            return stored.vessel
        }
    }

    func release(_ consignmentID: String, deadline: Deadline) async throws {
        try await store.write(deadline: deadline) { connection in
            guard let reservation = try Self.reservation(of: consignmentID, connection) else {
                // Stays, so that a Reserve that was overtaken is rejected.
                try connection.statement(Self.insertReservation)
                    .bind(1, consignmentID).bind(2, 0).bind(3, 0).bind(4, 0).bind(5, 1).run()
                return
            }
            guard !reservation.isReleased else { return }
            try connection.statement(Self.markReleased).bind(1, consignmentID).run()
            guard var stored = try Self.vessel(number: reservation.vessel, connection) else { return }
            let before = stored.vessel
            stored.vessel.release(reservation.room)
            try Self.replace(before, by: stored, connection)
        }
    }

    func largestRoom(deadline: Deadline) async throws -> Room {
        try await store.read(deadline: deadline) { connection in
            Room(
                containers: try connection.statement(Self.mostContainers).first { $0.int32(0) } ?? 0,
                weight: try SQLiteRoomGroups(connection: connection).heaviest ?? 0)
        }
    }

    /// Nothing is left half-way by a transaction, and no other process writes to the file.
    func tidy(deadline: Deadline) async throws {}
}

// MARK: - Schema

extension SQLiteVesselRepository {
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
        """,
        // Booked room. What is offered is NULL where nothing is.
        """
        DROP TABLE vessel_bands;
        ALTER TABLE vessels RENAME TO vessels_1;
        DROP INDEX vessels_id;
        CREATE TABLE vessels (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            owner_id TEXT NOT NULL,
            available INTEGER,
            capacity INTEGER NOT NULL,
            max_weight INTEGER NOT NULL,
            booked_containers INTEGER NOT NULL,
            booked_weight INTEGER NOT NULL,
            offered_containers INTEGER,
            offered_weight INTEGER
        );
        INSERT INTO vessels
            SELECT NULL, id, name, owner_id, available, capacity, max_weight, 0, 0,
                iif(available, capacity, NULL), iif(available, max_weight, NULL)
            FROM vessels_1;
        DROP TABLE vessels_1;
        CREATE INDEX vessels_offered ON vessels (offered_containers, offered_weight, id)
            WHERE offered_containers IS NOT NULL;
        CREATE TABLE reservations (
            consignment_id TEXT NOT NULL PRIMARY KEY,
            vessel INTEGER NOT NULL,
            containers INTEGER NOT NULL,
            weight INTEGER NOT NULL,
            released INTEGER NOT NULL
        ) WITHOUT ROWID;
        """,
        SQLiteRoomGroups.schema,
    ]
}

/// A vessel and its number in this file.
private struct StoredVessel {
    static let columns =
        "number, id, name, owner_id, available, capacity, max_weight, booked_containers, booked_weight"
    /// Their number: the index of the first column after them.
    static let columnCount: Int32 = 9

    var number: Int64
    var vessel = Vessel_Vessel()

    init(_ row: SQLiteRow) {
        number = row.int64(0)
        vessel.id = row.string(1)
        vessel.name = row.string(2)
        vessel.ownerID = row.string(3)
        if !row.isNull(4) { vessel.available = row.int64(4) != 0 }
        vessel.capacity = row.int32(5)
        vessel.maxWeight = row.int32(6)
        vessel.bookedContainers = row.int32(7)
        vessel.bookedWeight = row.int32(8)
    }
}

// MARK: - Searching

extension SQLiteVesselRepository {
    /// The first vessel in order from a place on, whatever weight it takes.
    private static let next = SQLiteQuery(
        """
        SELECT \(StoredVessel.columns), offered_weight FROM vessels
        WHERE offered_containers IS NOT NULL AND (offered_containers, offered_weight) >= (?1, ?2)
        ORDER BY offered_containers, offered_weight, id LIMIT 1
        """)
    private static let mostContainers = SQLiteQuery(
        """
        SELECT offered_containers FROM vessels WHERE offered_containers IS NOT NULL
        ORDER BY offered_containers DESC, offered_weight DESC, id DESC LIMIT 1
        """)
    private static let find = SQLiteQuery("SELECT \(StoredVessel.columns) FROM vessels WHERE id = ?1")
    private static let findByNumber = SQLiteQuery("SELECT \(StoredVessel.columns) FROM vessels WHERE number = ?1")
    private static let page = SQLiteQuery(
        "SELECT \(StoredVessel.columns) FROM vessels WHERE id > ?1 ORDER BY id LIMIT ?2")

    private static func find(_ id: String, _ connection: SQLiteConnection) throws -> StoredVessel? {
        try connection.statement(find).bind(1, id).first(StoredVessel.init)
    }

    private static func vessel(number: Int64, _ connection: SQLiteConnection) throws -> StoredVessel? {
        try connection.statement(findByNumber).bind(1, number).first(StoredVessel.init)
    }

    private static func tightestFit(_ room: Room, _ connection: SQLiteConnection) throws -> StoredVessel? {
        let first = try connection.statement(next).bind(1, room.containers).bind(2, room.weight)
            .first { (weight: $0.int32(StoredVessel.columnCount), vessel: StoredVessel($0)) }
        guard let first else { return nil }
        // With any usual fleet it is this one.
        if first.weight >= room.weight { return first.vessel }
        let groups = SQLiteRoomGroups(connection: connection)
        let found = try RoomIndex.search(from: room.containers) { numbers -> StoredVessel? in
            guard let containers = try groups.first(level: 0, numbers, weight: room.weight) else { return nil }
            return try connection.statement(next).bind(1, containers).bind(2, room.weight).first(StoredVessel.init)
        } firstGroup: {
            try groups.first(level: $0, $1, weight: room.weight)
        }
        // All of a call sees the store as it was at one moment, so that nothing changes meanwhile.
        guard case .fit(let vessel) = found else { return nil }
        return vessel
    }
}

// MARK: - Storing

extension SQLiteVesselRepository {
    private struct Reservation {
        var vessel: Int64
        var room: Room
        var isReleased: Bool
    }

    private static let insert = SQLiteQuery(
        "INSERT INTO vessels VALUES (NULL, ?1, ?2, ?3, nullif(?4, -1), ?5, ?6, ?7, ?8, nullif(?9, -1), nullif(?10, -1))"
    )
    private static let replace = SQLiteQuery(
        """
        UPDATE vessels SET name = ?2, available = nullif(?3, -1), capacity = ?4, max_weight = ?5,
            booked_containers = ?6, booked_weight = ?7, offered_containers = nullif(?8, -1),
            offered_weight = nullif(?9, -1)
        WHERE number = ?1
        """)
    private static let insertReservation = SQLiteQuery("INSERT INTO reservations VALUES (?1, ?2, ?3, ?4, ?5)")
    private static let findReservation = SQLiteQuery(
        "SELECT vessel, containers, weight, released FROM reservations WHERE consignment_id = ?1")
    private static let markReleased = SQLiteQuery("UPDATE reservations SET released = 1 WHERE consignment_id = ?1")

    private static func reservation(
        of consignmentID: String, _ connection: SQLiteConnection
    ) throws -> Reservation? {
        try connection.statement(findReservation).bind(1, consignmentID).first {
            Reservation(
                vessel: $0.int64(0), room: Room(containers: $0.int32(1), weight: $0.int32(2)),
                isReleased: $0.int64(3) != 0)
        }
    }

    private static func insert(_ vessel: Vessel_Vessel, _ connection: SQLiteConnection) throws {
        let offered = vessel.roomOffered
        do throws(StorageError) {
            try connection.statement(insert)
                .bind(1, vessel.id).bind(2, vessel.name).bind(3, vessel.ownerID).bind(4, flag(vessel))
                .bind(5, vessel.capacity).bind(6, vessel.maxWeight).bind(7, vessel.bookedContainers)
                .bind(8, vessel.bookedWeight).bind(9, offered?.containers ?? -1).bind(10, offered?.weight ?? -1).run()
        } catch {
            guard error.kind == .duplicateKey else { throw error }
            throw VesselError.idTaken(vessel.id)
        }
        if let offered { try SQLiteRoomGroups(connection: connection).add(offered) }
    }

    /// - Parameter vessel: the vessel as it is from now on.
    private static func replace(
        _ before: Vessel_Vessel, by stored: StoredVessel, _ connection: SQLiteConnection
    ) throws {
        let vessel = stored.vessel
        let offered = vessel.roomOffered
        try connection.statement(replace)
            .bind(1, stored.number).bind(2, vessel.name).bind(3, flag(vessel)).bind(4, vessel.capacity)
            .bind(5, vessel.maxWeight).bind(6, vessel.bookedContainers).bind(7, vessel.bookedWeight)
            .bind(8, offered?.containers ?? -1).bind(9, offered?.weight ?? -1).run()
        guard before.roomOffered != offered else { return }
        let groups = SQLiteRoomGroups(connection: connection)
        if let left = before.roomOffered { try groups.delete(left) }
        if let offered { try groups.add(offered) }
    }

    /// -1 where `available` is not set; room is never negative either.
    private static func flag(_ vessel: Vessel_Vessel) -> Int {
        vessel.hasAvailable ? (vessel.available ? 1 : 0) : -1
    }
}
