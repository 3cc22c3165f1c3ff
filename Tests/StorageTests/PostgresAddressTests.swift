import Storage
import Testing

@testable import PostgresStorage

@Suite struct PostgresAddressTests {
    @Test(
        "addresses are read as host:port or as URIs, and shown without credentials and options",
        arguments: [
            ("postgres:5432", "postgres:5432/shippy"),
            ("postgres", "postgres:5432/shippy"),
            ("[::1]:5433", "[::1]:5433/shippy"),
            ("postgresql://a:1,b:2/fleet?target_session_attrs=read-write", "a:1,b:2/fleet"),
            ("postgres://user:p%40ss@db/users?sslmode=require", "db:5432/users"),
            ("postgresql:///users?host=/run/postgresql", "/run/postgresql/users"),
            ("postgresql://", "local socket:5432/shippy"),
        ])
    func addresses(text: String, shown: String) throws {
        let address = try PostgresAddress(text)
        #expect("\(address)" == shown)
        #expect(String(reflecting: address) == shown)
    }

    @Test("DB_NAME, DB_USER and DB_PASSWORD complete what the address leaves open, and the URI wins")
    func completion() throws {
        let variables = ["DB_NAME": "fleet", "DB_USER": "kane", "DB_PASS": "old", "DB_HOST": "db:1"]
        let plain = try PostgresAddress(variable: { variables[$0] })
        #expect(plain.options["dbname"] == "fleet")
        #expect(plain.options["user"] == "kane")
        #expect(plain.options["password"] == "old")
        #expect(plain.targets.map(\.port) == ["1"])
        let newer = try PostgresAddress(variable: { variables.merging(["DB_PASSWORD": "new"]) { $1 }[$0] })
        #expect(newer.options["password"] == "new")
        let uri = try PostgresAddress("postgresql://u:p%20w@h/d", database: "x", user: "y", password: "z")
        #expect(uri.options["dbname"] == "d" && uri.options["user"] == "u" && uri.options["password"] == "p w")
        let nothing = try PostgresAddress(variable: { _ in nil })
        #expect("\(nothing)" == "localhost:5432/shippy")
        #expect(nothing.options["user"] == "shippy")
        #expect(nothing.options["password"] == nil)
    }

    @Test("however an address is printed, no secret is in it")
    func secrets() throws {
        let address = try PostgresAddress("postgresql://captain:hunter22@h/d?application_name=hunter22")
        var dumped = ""
        dump(address, to: &dumped)
        for text in ["\(address)", String(reflecting: address), String(describing: [address]), dumped] {
            #expect(!text.contains("hunter22") && !text.contains("captain"))
        }
    }

    @Test(
        "what is no address is refused, and no credential is repeated",
        arguments: [
            "", "db:notaport", "db:0", "postgresql://user:secret@:notaport", "user:secret@host:5432",
            "postgresql://user:se@cret@h:99999999/", "http://secret@x", "postgresql://h/d?nonsense=secret@",
            "postgresql://h:1,i:2,j/d?port=1,2", "postgresql://h/d?connect_timeout=never", "postgresql://h:0/d",
            "postgresql://h/%zz?password=secret@", "sqlite:users.db", "postgresql://h/d?connect_timeout=0",
            "postgresql://h/d?sslmode=secret",
        ])
    func refused(text: String) throws {
        let error = #expect(throws: StorageError.self) { try PostgresAddress(text) }
        #expect(error?.kind == .configuration)
        #expect(error?.message.contains("secret") == false)
        #expect(error?.message.contains("cret@") == false)
    }

    @Test("a zero byte in a credential is refused instead of cutting it")
    func zeroByte() {
        let error = #expect(throws: StorageError.self) { try PostgresAddress("h:1", password: "se\0cret") }
        #expect(error?.kind == .configuration)
    }
}

@Suite struct PostgresErrorTests {
    @Test(
        "SQLSTATEs have a meaning",
        arguments: [
            ("23505", StorageError.Kind.duplicateKey), ("40001", .busy), ("40P01", .busy), ("55P03", .busy),
            ("57014", .timeout), ("53100", .full), ("53300", .connectionLost), ("57P03", .connectionLost),
            ("57P01", .connectionLost), ("57P02", .connectionLost), ("08006", .connectionLost),
            ("28P01", .accessDenied),
            ("28000", .accessDenied), ("3D000", .accessDenied), ("42501", .accessDenied), ("XX001", .corrupt),
            ("25006", .connectionLost),
            ("23503", .other), ("42601", .other), ("22001", .other), ("", .other),
        ])
    func kinds(sqlState: String, kind: StorageError.Kind) {
        #expect(StorageError.kind(sqlState: sqlState) == kind)
    }

    @Test("why a login failed is read from what libpq says, and the user is not repeated")
    func logins() {
        let prefix = "connection to server at \"127.0.0.1\", port 5432 failed: "
        let wrong = StorageError(
            postgresConnecting: prefix
                + "FATAL:  28P01: password authentication failed for user \"captain\"\nLOCATION:  auth_failed, auth.c:335",
            needsPassword: false)
        #expect(wrong.kind == .accessDenied)
        #expect(wrong.message == "the server refuses user, password or address (SQLSTATE 28P01)")
        let missing = StorageError(
            postgresConnecting: prefix + "FATAL:  3D000: database \"d\" does not exist", needsPassword: false)
        #expect(missing.kind == .accessDenied)
        #expect(missing.message.contains("database \"d\" does not exist"))
        for text in ["FATAL:  53300: sorry, too many clients already", "FATAL:  57P03: starting up", "refused"] {
            #expect(StorageError(postgresConnecting: prefix + text, needsPassword: false).kind == .connectionLost)
        }
        #expect(StorageError(postgresConnecting: "no password supplied", needsPassword: true).kind == .accessDenied)
    }
}
