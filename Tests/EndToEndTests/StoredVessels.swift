import Foundation
import TestSupport

/// What a store holds, read past our programs: how many vessels there are of each name.
struct StoredVessels {
    let names: [String: Int]

    /// Of an SQLite file; another process may have it open.
    static func sqlite(_ path: String) async throws -> StoredVessels {
        try await read(
            """
            import sqlite3
            rows = sqlite3.connect(sys.argv[1]).execute("select name, count(*) from vessels group by name")
            print(json.dumps(dict(rows.fetchall())))
            """, path)
    }

    /// Of the database that a MongoDB URI names.
    static func mongo(_ uri: String) async throws -> StoredVessels {
        try await read(
            """
            import collections, pymongo
            vessels = pymongo.MongoClient(sys.argv[1]).get_default_database().vessels
            print(json.dumps(collections.Counter(vessel["name"] for vessel in vessels.find({}, {"name": 1}))))
            """, uri)
    }

    private static func read(_ script: String, _ argument: String) async throws -> StoredVessels {
        let output = try await Tool.run(Tool.python, ["-c", "import sys, json\n" + script, argument])
        return StoredVessels(names: try JSONDecoder().decode([String: Int].self, from: Data(output.utf8)))
    }
}
