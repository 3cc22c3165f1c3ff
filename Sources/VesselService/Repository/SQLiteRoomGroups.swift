import SQLiteStorage

/// The groups of ``RoomIndex`` in SQLite: a row for each that has vessels in it, with the most weight that one of them takes.
///
/// Level 0 is the numbers of containers left. A change goes up level by level, and ends at the first group that it makes no
/// difference to: nearly always the first or second.
struct SQLiteRoomGroups {
    /// Use it only within the transaction that changes the vessels.
    let connection: SQLiteConnection

    static let schema = """
        DROP TABLE IF EXISTS vessel_groups;
        CREATE TABLE room_groups (
            level INTEGER NOT NULL,
            number INTEGER NOT NULL,
            heaviest INTEGER NOT NULL,
            PRIMARY KEY (level, number)
        ) WITHOUT ROWID;
        INSERT INTO room_groups
            SELECT 0, offered_containers, max(offered_weight) FROM vessels
            WHERE offered_containers IS NOT NULL GROUP BY offered_containers;
        WITH RECURSIVE levels (level) AS (SELECT 1 UNION ALL SELECT level + 1 FROM levels WHERE level < 8)
        INSERT INTO room_groups
            SELECT levels.level, number >> (levels.level * 4), max(heaviest) FROM levels, room_groups
            WHERE room_groups.level = 0 GROUP BY 1, 2;
        """

    private static let first = SQLiteQuery(
        """
        SELECT number FROM room_groups WHERE level = ?1 AND number BETWEEN ?2 AND ?3 AND heaviest >= ?4
        ORDER BY number LIMIT 1
        """)
    private static let raise = SQLiteQuery(
        """
        INSERT INTO room_groups VALUES (?1, ?2, ?3)
        ON CONFLICT (level, number) DO UPDATE SET heaviest = excluded.heaviest WHERE heaviest < excluded.heaviest
        """)
    private static let replace = SQLiteQuery(
        "UPDATE room_groups SET heaviest = ?3 WHERE level = ?1 AND number = ?2 AND heaviest <> ?3")
    private static let remove = SQLiteQuery("DELETE FROM room_groups WHERE level = ?1 AND number = ?2")
    private static let heaviestVessel = SQLiteQuery(
        """
        SELECT offered_weight FROM vessels WHERE offered_containers = ?1
        ORDER BY offered_containers DESC, offered_weight DESC, id DESC LIMIT 1
        """)
    private static let heaviestGroup = SQLiteQuery(
        """
        SELECT heaviest FROM room_groups WHERE level = ?1 AND number BETWEEN ?2 AND ?3
        ORDER BY heaviest DESC LIMIT 1
        """)

    /// The first group among these, 16 at most, that has a vessel that takes the weight.
    func first(level: Int, _ groups: ClosedRange<Int32>, weight: Int32) throws -> Int32? {
        try connection.statement(Self.first)
            .bind(1, level).bind(2, groups.lowerBound).bind(3, groups.upperBound).bind(4, weight).first { $0.int32(0) }
    }

    /// The most weight that any vessel takes; `nil` when none offers any room.
    var heaviest: Int32? {
        get throws {
            try connection.statement(Self.heaviestGroup).bind(1, RoomIndex.levels.upperBound).bind(2, 0).bind(3, 0)
                .first { $0.int32(0) }
        }
    }

    /// Adds a vessel with this room.
    func add(_ room: Room) throws {
        let raise = try connection.statement(Self.raise)
        for level in 0...RoomIndex.levels.upperBound {
            let group = RoomIndex.group(level: level, of: room.containers)
            guard try raise.bind(1, level).bind(2, group).bind(3, room.weight).run() > 0 else { return }
        }
    }

    /// Removes a vessel with this room, which is deleted from the table already.
    func delete(_ room: Room) throws {
        for level in 0...RoomIndex.levels.upperBound {
            let group = RoomIndex.group(level: level, of: room.containers)
            let isChanged: Bool
            if let heaviest = try heaviest(level: level, group) {
                isChanged =
                    try connection.statement(Self.replace).bind(1, level).bind(2, group).bind(3, heaviest).run() > 0
            } else {
                isChanged = try connection.statement(Self.remove).bind(1, level).bind(2, group).run() > 0
            }
            guard isChanged else { return }
        }
    }

    private func heaviest(level: Int, _ group: Int32) throws -> Int32? {
        guard level > 0 else {
            return try connection.statement(Self.heaviestVessel).bind(1, group).first { $0.int32(0) }
        }
        let children = RoomIndex.children(of: group)
        return try connection.statement(Self.heaviestGroup)
            .bind(1, level - 1).bind(2, children.lowerBound).bind(3, children.upperBound).first { $0.int32(0) }
    }
}
