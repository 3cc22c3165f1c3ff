import Contracts
import Foundation
import RPC
import TestSupport
import Testing

@testable import UserService

/// A table `users` of the service in Go is taken over.
@Suite(.timeLimit(.minutes(10))) struct GoTableTests {
    private static let hash = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"

    private func database(_ sql: String) async throws -> String {
        let uri = try await PostgresServer.shared.value.database()
        try await PostgresServer.sql(sql, at: uri)
        return uri
    }

    @Test("its users are found as they were, new ones are stored beside them, and both come in pages")
    func takeOver() async throws {
        let uri = try await database(
            """
            CREATE TABLE users (
                id varchar(36) NOT NULL PRIMARY KEY, name varchar(125), email varchar(225) NOT NULL UNIQUE,
                password varchar(225) NOT NULL, company varchar(5)
            );
            INSERT INTO users VALUES
                ('0b5f4d5e-1111-4222-8333-444455556666', 'Ewan', 'Ewan@Example.com', '\(Self.hash)', 'BBC'),
                ('0b5f4d5e-1111-4222-8333-444455556667', NULL, 'jürgen.Ö@example.com', '\(Self.hash)', NULL);
            """)
        try await withUsers(at: uri) { users in
            let ewan = try await users.repository.find(email: "ewan@example.com")
            #expect(ewan?.id == "0b5f4d5e-1111-4222-8333-444455556666")
            #expect(ewan?.name == "Ewan" && ewan?.company == "BBC" && ewan?.email == "Ewan@Example.com")
            #expect(ewan?.passwordHash == Self.hash)
            #expect((ewan?.createdAtMicroseconds ?? 0) > 1_700_000_000_000_000)
            let jürgen = try await users.repository.find(email: "JÜRGEN.ö@example.com")
            #expect(jürgen?.name == "" && jürgen?.company == "")
            await #expect(throws: UserError.emailTaken) {
                try await users.repository.add(Sample.user(email: "EWAN@example.com"))
            }
            var new = Sample.user(
                email: "new@example.com", name: String(repeating: "n", count: 200), at: 4_000_000_000_000_000)
            new.company = "longer than five"
            try await users.repository.add(new)
            #expect(try await users.repository.find(new.id) == new)
            let ids = try await users.repository.ids(pages: 1)
            #expect(ids == [ewan?.id, jürgen?.id, new.id])
        }
        // And again, at the next start.
        try await withUsers(at: uri) { users async throws in
            #expect(try await users.repository.find(email: "ewan@example.com") != nil)
        }
    }

    @Test("gorm's columns are kept, its times used, and whom it deleted stays out without being lost")
    func gorm() async throws {
        let uri = try await database(
            """
            CREATE TABLE users (
                created_at timestamp, updated_at timestamptz NOT NULL, deleted_at timestamptz,
                id varchar(36) PRIMARY KEY, name text, company text, email text UNIQUE, password text
            );
            INSERT INTO users VALUES
                ('2018-01-02 03:04:05', now(), NULL, 'a', 'Ann', '', 'ann@example.com', 'x'),
                (NULL, now(), NULL, 'b', 'Bob', '', 'bob@example.com', 'x'),
                ('2018-01-01', now(), '2019-01-01', 'c', 'Gone', '', 'gone@example.com', 'x');
            """)
        try await withUsers(at: uri) { users in
            let ann = try await users.repository.find("a")
            #expect(ann?.createdAtMicroseconds == 1_514_862_245_000_000)
            #expect(try await users.repository.ids(pages: 10) == ["a", "b"])
            #expect(try await users.repository.find(email: "gone@example.com") == nil)
            try await users.repository.add(Sample.user(email: "gone@example.com"))
        }
        #expect(try await PostgresServer.sql("SELECT id, email FROM users_deleted", at: uri) == "c|gone@example.com")
    }

    @Test(
        "twins that differ only in case don't block the start: each is found by its own spelling, and no third can join"
    )
    func twins() async throws {
        let uri = try await database(
            """
            CREATE TABLE users (
                id varchar(36) PRIMARY KEY, name text, email varchar UNIQUE, password text, company text,
                created_at timestamptz
            );
            INSERT INTO users (id, email, created_at) VALUES
                ('1', 'Ann@example.com', '2018-01-01'), ('2', 'ann@example.com', '2019-01-01'),
                ('3', 'BOB@example.com', '2018-01-01'), ('4', 'Bob@example.com', '2017-01-01'),
                ('5', 'ÄNN@example.com', '2018-01-01'), ('6', 'änn@example.com', '2018-01-01'), ('7', NULL, NULL);
            """)
        try await withUsers(at: uri) { users in
            let wanted = [
                "Ann@example.com": "1", "ann@example.com": "2", "ANN@example.com": "2", "BOB@example.com": "3",
                "Bob@example.com": "4", "bob@example.com": "4", "ÄNN@example.com": "5", "änn@example.com": "6",
            ]
            for (email, id) in wanted {
                let found = try await users.repository.find(email: email)
                #expect(found?.id == id && (found?.email == email || email.hasPrefix("ANN") || email.hasPrefix("bob")))
                await #expect(throws: UserError.emailTaken) {
                    try await users.repository.add(Sample.user(email: email))
                }
            }
            #expect(try await users.repository.ids(pages: 3).count == 7)
            #expect(try await users.repository.find("7")?.email == "")
        }
    }

    @Test("a table without any constraint, with the same address twice, does not block the start either")
    func unconstrained() async throws {
        let uri = try await database(
            """
            CREATE TABLE users (id varchar(36), name varchar, email varchar, password varchar, company varchar);
            INSERT INTO users VALUES ('1', 'A', 'A@x.com', 'x', ''), ('2', 'A', 'A@x.com', 'x', ''),
                ('3', 'A', 'A@x.com', 'x', ''), ('4', 'a', 'a@x.com', 'x', ''), ('5', 'a', 'a@x.com', 'x', '');
            """)
        try await withUsers(at: uri) { users async throws in
            #expect(try await users.repository.find(email: "a@x.com")?.id == "4")
            #expect(try await users.repository.find(email: "A@x.com")?.id == "1")
            for id in 1...5 { #expect(try await users.repository.find("\(id)") != nil) }
        }
    }

    @Test("replicas that start together on an old table take it over once")
    func together() async throws {
        let uri = try await database(
            """
            CREATE TABLE users (id varchar(36) PRIMARY KEY, name varchar, email varchar UNIQUE, password varchar, company varchar);
            INSERT INTO users SELECT 'id' || n, 'N', 'N' || n || '@x.com', 'x', '' FROM generate_series(1, 2000) AS n;
            """)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for _ in 0..<4 {
                tasks.addTask {
                    try await withUsers(at: uri) { users async throws in
                        #expect(try await users.repository.find(email: "n7@x.com")?.id == "id7")
                    }
                }
            }
            try await tasks.waitForAll()
        }
        #expect(try await PostgresServer.sql("SELECT count(*) FROM shippy_migrations", at: uri) == "4")
    }

    @Test("rows with texts of any length and with infinite times block no page")
    func hugeRows() async throws {
        let uri = try await database(
            """
            CREATE TABLE users (
                id text PRIMARY KEY, name text, email text, password text, company text, created_at timestamptz
            );
            INSERT INTO users SELECT 'a' || number, repeat('ö', 3000000), number || '@example.com', 'x',
                repeat('c', 100), '2018-01-01' FROM generate_series(1, 3) AS number;
            INSERT INTO users SELECT 'b' || number, repeat('ö', 1000), repeat('e', 1000) || number, 'x',
                repeat('c', 1000), '2019-01-01' FROM generate_series(1, 900) AS number;
            INSERT INTO users VALUES
                ('first', 'F', 'first@example.com', 'x', '', '-infinity'),
                ('last', 'L', 'last@example.com', 'x', '', 'infinity'),
                ('later', 'L', 'later@example.com', 'x', '', 'infinity'),
                (repeat('i', 500), 'I', 'i@example.com', 'x', '', '2020-01-01');
            """)
        try await withUsers(at: uri) { users in
            try await withService(of: WatchedUsers(users), ServiceWishes(needsToken: false)) { service in
                for size: Int32 in [1_000, 400, 1] {
                    var (ids, pages): ([String], Int) = ([], 0)
                    var request = User_Request.with { $0.pageSize = size }
                    repeat {
                        let page = try await service.call(UserMethods.getAll, request)
                        let bytes: [UInt8] = try page.serializedBytes()
                        #expect(bytes.count < 3 << 20)
                        ids += page.users.map(\.id)
                        request.pageToken = page.nextPageToken
                        pages += 1
                        // Of the shortest pages a few are enough.
                    } while !request.pageToken.isEmpty && (size > 1 || pages < 10)
                    #expect(ids.first == "first")
                    if size == 1 { continue }
                    #expect(ids.count == 907 && Set(ids).count == 907 && ids.suffix(2) == ["last", "later"])
                    #expect(pages >= 2)
                }
            }
        }
    }
}
